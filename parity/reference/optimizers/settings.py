"""What an optimizer of either framework sets in the common update rules."""

from __future__ import annotations

from typing import Any

from parity.reference.formula import Settings
from parity.reference.optimizers.formulas import (
    COMMON,
    DECOUPLED,
    FORMULAS,
    IN_GRADIENT,
    OF_CLASS,
)
from parity.reference.optimizers.moments import Values
from parity.reference.optimizers.spec import OptimizerSpec
from parity.reference.optimizers.table import OPTIMIZERS, TORCH_NAMES


def of_spec(spec: OptimizerSpec, flavour: str) -> Settings:
    """Settings of the update rule for Keras's optimizer with a spec's values."""
    return of_keras(spec.name, {**spec.constants(), "centered": bool(spec.centered)}, flavour)


def of_keras(name: str, values: Values, flavour: str) -> Settings:
    """Settings of the update rule for Keras's optimizer.

    Args:
        name: in :data:`OPTIMIZERS`.
        values: its options by Keras's names.
        flavour: the Keras.
    """
    row = OPTIMIZERS[name]
    kind = OF_CLASS[row.kind]
    found = {**COMMON, **FORMULAS[kind].settings, **row.settings}
    found |= {option: values[option] for option in found if option in values}
    if flavour == "keras3":
        found.update(FORMULAS[kind].keras3)
    return Settings(kind, found)


def of_torch(class_name: str, values: Values, of_keras: bool) -> Settings | None:
    """Settings of the update rule for an optimizer class with PyTorch's names.

    Args:
        class_name: name of the class.
        values: its options by PyTorch's names.
        of_keras: whether it computes Keras's rule (``torch_impl.optim``), not that of
            ``torch.optim``.

    Returns:
        None for a class or an option that no formula has.
    """
    kind = OF_CLASS.get(class_name)
    if kind is None or values.get("maximize") or values.get("lr_decay"):
        return None
    found: dict[str, Any] = {**COMMON, **FORMULAS[kind].settings}
    if not of_keras:
        if (fixed := FORMULAS[kind].torch) is None:
            return None
        decoupled = class_name == "AdamW" or values.get("decoupled_weight_decay")
        found |= {**fixed, "decay": DECOUPLED if decoupled else IN_GRADIENT}
    names = {option: TORCH_NAMES.get(option, option) for option in found}
    found |= {option: values[name] for option, name in names.items() if name in values}
    if "betas" in values:
        found["beta_1"], found["beta_2"] = values["betas"]
    if "alpha" in values:  # of torch.optim.RMSprop
        found["rho"] = values["alpha"]
    return Settings(kind, found)


def of_either(settings: Settings | None) -> Settings | None:
    """Settings of the update rule for what a trainer reports; None where no formula has them.

    Args:
        settings: see :meth:`parity.adapters.trainer.Trainer.settings_of`: of a kind
            ``keras.<name>``, ``torch.<class>`` or, for ``torch_impl.optim``, ``port.<class>``.
    """
    if settings is None:
        return None
    framework, _, kind = settings.kind.partition(".")
    if framework == "keras":
        return of_keras(kind, settings.values, settings.values["flavour"])
    return of_torch(kind, settings.values, of_keras=framework == "port")
