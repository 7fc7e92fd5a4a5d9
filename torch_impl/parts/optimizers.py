"""Optimizers by name, every value explicit, and their slots by canonical name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from parity.reference.optimizers.spec import OptimizerSpec
from parity.reference.optimizers.table import OPTIMIZERS, TORCH_NAMES
from torch_impl import optim
from torch_impl.optim import KerasOptimizer


def optimizer_for(
    spec: OptimizerSpec,
    params: Iterable[Tensor],
    joint: Sequence[tuple[Tensor, ...]] = (),
    flavour: str = "tf_keras",
) -> KerasOptimizer:
    """Keras's optimizer in PyTorch with the spec's values.

    Args:
        spec: the optimizer.
        params: the trained parameters.
        joint: groups of tensors that form one tensor in Keras, for ``clipnorm``.
        flavour: the Keras.
    """
    row, values = OPTIMIZERS[spec.name], spec.constants()
    options: dict[str, Any] = {name: values.get(name, getattr(spec, name)) for name in row.options}
    if "beta_1" in options:
        options["betas"] = options.pop("beta_1"), options.pop("beta_2")
    options = {TORCH_NAMES.get(name, name): value for name, value in options.items()}
    common = {
        name: values[name] for name in ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue")
    }
    optimizer: KerasOptimizer = getattr(optim, row.kind)(
        list(params),
        lr=values["learning_rate"],
        **options,
        **row.settings,
        **common,
        ema_momentum=values["ema_momentum"] or None,
        ema_overwrite_frequency=spec.ema_overwrite_frequency,
        gradient_accumulation_steps=spec.gradient_accumulation_steps,
        joint=joint,
        flavour=flavour,
    )
    return optimizer


def slots(optimizer: KerasOptimizer, spec: OptimizerSpec) -> dict[str, list[Tensor]]:
    """Slot tensors by canonical slot name, each list in the order of the trained parameters."""
    optimizer.start()
    params = optimizer.param_groups[0]["params"]
    return {slot: optimizer.of(params, slot) for slot in spec.slots}
