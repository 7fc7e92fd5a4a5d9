"""Why two optimizers update a weight differently, although both receive the same gradients.

Both are settings of one update rule (:mod:`parity.reference.optimizers.formulas`). A setting is a
cause if PyTorch's rule, with Keras's value of that setting, gives Keras's weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from parity.numerics.distance import relative_error
from parity.pairs.causes.search import smallest_explanation
from parity.reference.formula import Settings
from parity.reference.optimizers import variants as optimizer_variants
from parity.reference.optimizers.formulas import DECOUPLED, updated
from parity.reference.optimizers.settings import of_either
from parity.reference.optimizers.variants import with_rates
from parity.verdict.result import UNKNOWN, Cause, Proof


@dataclass(frozen=True)
class StepInput:
    """What both optimizers receive in one step, for one weight.

    Attributes:
        gradient: of the weight.
        norm: of all weights' gradients together.
        rates: the learning rates of Keras and of PyTorch.
    """

    gradient: np.ndarray
    norm: float
    rates: tuple[float, float]


@dataclass(frozen=True)
class Update:
    """One weight before and after both optimizers trained it with the same gradients.

    Attributes:
        layer: its name in the Keras model.
        start: the weight before the first step.
        steps: one for each step.
        keras, torch: the weight after the last step, in each framework.
        rung: ``step`` or ``steps``.
        limit: largest relative error that counts as none.
    """

    layer: str
    start: np.ndarray
    steps: Sequence[StepInput]
    keras: np.ndarray
    torch: np.ndarray
    rung: str
    limit: float


def causes_of(update: Update, keras: Settings | None, torch: Settings | None) -> list[Cause]:
    """The settings that together explain a different update; one unknown if none do.

    Args:
        update: the weight.
        keras: the optimizer, as :meth:`parity.adapters.trainer.Trainer.settings_of` reports it.
        torch: likewise.
    """
    before = relative_error(update.keras, update.torch)
    rates = [[step.rates[side] for step in update.steps] for side in (0, 1)]
    own = with_rates(of_either(keras), rates[0])
    kinds = [one.kind if one else "not known" for one in (keras, torch)]
    proof = Proof(before, before)
    unknown = [Cause(UNKNOWN, update.layer, kinds[0], kinds[1], proof, update.rung)]
    if own is None or (own_error := _error(own, update, update.keras)) > update.limit:
        return unknown
    candidates = optimizer_variants.of(own, torch, rates[1])
    fitting = (one for one in candidates if _error(one, update, update.torch) <= update.limit)
    other = next(fitting, None)
    if other is None:
        return unknown
    if own.kind != other.kind:
        proof = Proof(before, own_error)
        return [Cause("optimizer.kind", update.layer, own.kind, other.kind, proof, update.rung)]

    def simulate(names: tuple[str, ...]) -> float:
        names = (*names, *(CLIPPING if {*names} & {*CLIPPING} else ()))
        values = {**other.values, **{name: own.values[name] for name in names}}
        return _error(replace(other, values=values), update, update.keras)

    found = smallest_explanation(differing(own, other), simulate, update.limit)
    if found is None:
        return unknown
    names, after = found
    proof = Proof(before, after)
    return [cause_of(own, other, name, update.layer, proof, update.rung) for name in names]


def cause_of(
    own: Settings, other: Settings, name: str, layer: str, proof: Proof | None, rung: str
) -> Cause:
    """A setting as a cause, proven or latent."""
    if name in CLIPPING:
        own_name, other_name = (_clipping_of(one) for one in (own, other))
        id_, values = f"optimizer.{own_name or other_name}", (own, other)
        if not own_name or not other_name or own_name == other_name:
            shown = [one.values[own_name or other_name] for one in values]
        else:
            shown = [
                f"{n}={one.values[n]:g}"
                for n, one in zip((own_name, other_name), values, strict=True)
            ]
        return Cause(id_, layer, shown[0], shown[1], proof, rung)
    return Cause(id_of(own, other, name), layer, own.values[name], other.values[name], proof, rung)


def differing(own: Settings, other: Settings) -> list[str]:
    """Names of the settings of one rule that differ and can have an effect."""
    idle = set()
    if not own.values.get("weight_decay") and not other.values.get("weight_decay"):
        idle.add("decay")
    if not own.values.get("momentum") and not other.values.get("momentum"):
        idle |= {"nesterov", "dampening", "momentum_buffer"}
    if not any(isinstance(one.values["learning_rate"], tuple) for one in (own, other)):
        idle.add("momentum_buffer")
    found = [
        name
        for name, value in own.values.items()
        if name not in idle and value != other.values[name]
    ]
    clipping = [name for name in found if name in CLIPPING]
    return [name for name in found if name not in clipping[1:]]


def _clipping_of(settings: Settings) -> str:
    """The name of the clipping that is in effect; empty where there is none."""
    return next((name for name in CLIPPING[:3] if settings.values[name]), "")


CLIPPING = ("global_clipnorm", "clipnorm", "clipvalue", "clip_epsilon")
"""Settings that are one cause together, in the order in which they take precedence."""


def id_of(settings: Settings, other: Settings, name: str) -> str:
    """The catalogue's id of a setting, or one of the same form."""
    if name == "weight_decay" and other.values["decay"] == DECOUPLED:
        return "adamw.weight_decay"
    if name == "momentum_buffer":
        return "sgd.momentum_buffer"
    if name == "initial_accumulator_value" and settings.kind == "adagrad":
        return "adagrad.initial_accumulator"
    if name in ("learning_rate", "weight_decay"):
        return f"optimizer.{name}"
    if name == "decay":
        return "optimizer.weight_decay"
    if settings.kind == "nadam" and name in ("decay_base", "product_base"):
        return "nadam.momentum_decay"
    if settings.kind == "adadelta" and name in ("rho", "epsilon"):
        return "adadelta.constants"
    return f"{settings.kind}.{name}"


def _error(settings: Settings, update: Update, expected: np.ndarray) -> float:
    """The relative error of the rule's weight against a framework's."""
    return relative_error(expected, weight_after(settings, update.start, update.steps))


def weight_after(settings: Settings, start: np.ndarray, steps: Sequence[StepInput]) -> np.ndarray:
    """The weight after these steps of the update rule; ``learning_rate`` may be one for each."""
    weight, slots = start, dict[str, np.ndarray]()
    rate = settings.values["learning_rate"]
    rates = rate if isinstance(rate, tuple) else (rate,) * len(steps)
    for number, (step, rate) in enumerate(zip(steps, rates, strict=True), 1):
        values = {**settings.values, "learning_rate": rate}
        weight, slots = updated(
            settings.kind, values, number, weight, step.gradient, slots, step.norm
        )
    return weight
