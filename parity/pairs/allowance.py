"""What rounding does to a model: how far float32 may stand off, and gradients in float64."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from parity.adapters.calls import Run
from parity.adapters.side import Side
from parity.adapters.trainer import LOOSE, Batch, Gradients, Key, TorchTrainer, Trainer
from parity.errors import ParityError
from parity.numerics import random, tolerance
from parity.numerics.arrays import distance, largest
from parity.pairs import allowance
from parity.pairs.align.match import Alignment

MOST = tolerance.FLOAT64["training"].limit
"""That rounding may ever explain in float64: the policy's last rung, below any fault."""


def allow(
    torch: Side,
    run: Run,
    alignment: Alignment,
    inputs: Sequence[np.ndarray],
    torch_inputs: Sequence[np.ndarray] | None,
) -> None:
    """Give each Keras call its allowance: a multiple of what one ulp in the weights moves.

    Args:
        torch: the PyTorch model, whose weights are moved and put back.
        run: its calls with the weights as they are.
        alignment: which call is which; its Keras calls are changed.
        inputs: as of :func:`parity.pairs.check.check`.
        torch_inputs: likewise.
    """
    heavy = [t for _, t in alignment.pairs if t.weights]
    first = [{name: value.copy() for name, value in t.weights.items()} for t in heavy]
    moved = [0.0] * len(run.calls)
    for member in range(tolerance.ENSEMBLE):
        for t, values in zip(heavy, first, strict=True):
            named = {f"{t.name}/{name}": value for name, value in values.items()}
            near = random.ulp_neighbour(named, 0, member)
            torch.set_weights(t.name, {key[len(t.name) + 1 :]: one for key, one in near.items()})
        other = torch.run(inputs, torch_inputs).facing(run)
        other = other.with_outputs(other.calls)
        for place, (own, call) in enumerate(zip(run.calls, other.calls, strict=False)):
            away = distance(own.output, call.output)
            if np.isfinite(away):  # what is no number explains nothing
                moved[place] = max(moved[place], away)
        other.forget()
    for t, values in zip(heavy, first, strict=True):
        torch.set_weights(t.name, values)
    for k, t in alignment.pairs:
        rounding = tolerance.ENSEMBLE_MULTIPLE * moved[t.number]
        k.allowed = max(tolerance.FLOAT32_FLOOR, rounding)


def gradients_allowed(
    side: Side, trainer: Trainer, batch: Batch, least: float, dtype: str = "float64"
) -> dict[Key, float]:
    """How far each gradient may stand off: what one ulp in the weights moves, multiplied.

    Batch norm that sees few values divides by what is left of their difference: rounding before it
    grows. In float64 never more than the smallest semantic fault, which the policy's last rung
    allows for.

    Args:
        side: either, as it was at first; it ends so.
        trainer: its trainer.
        batch: that the gradients are of.
        least: what is allowed anyhow.
        dtype: of the side.
    """

    def gradients() -> Gradients:
        found = trainer.gradients(batch, 0)[1]
        trainer.start()
        return found

    trainer.keep()
    own = gradients()
    moved = dict.fromkeys(own, 0.0)
    for member in range(tolerance.ENSEMBLE):
        for (layer, name), value in trainer.weights().items():
            key = f"{layer}/{name}"
            near = random.ulp_neighbour({key: value}, 0, member, dtype)
            if name == LOOSE:
                side.set_loose({layer: near[key]})
                continue
            with contextlib.suppress(ParityError):  # what is computed of other weights
                side.set_weights(layer, {name: near[key]})
        for one, other in gradients().items():
            away = distance(own[one], other)
            if np.isfinite(away):  # what is no number explains nothing
                moved[one] = max(moved[one], away)
    most = MOST if dtype == "float64" else np.inf
    return {
        key: max(least, min(tolerance.ENSEMBLE_MULTIPLE * one, most)) for key, one in moved.items()
    }


Pair = tuple[Key, Key]
"""A weight that both have, by the names of either side."""


LIMIT = tolerance.FLOAT64["gradients"].limit


def sizes_of(gradients: Gradients) -> dict[Key, float]:
    """The largest entry of each."""
    return {key: largest(one) for key, one in gradients.items()}


def negligible(
    own: Mapping[Key, float], other: Mapping[Key, float], keys: Sequence[Pair]
) -> set[Key]:
    """Weights, by Keras's names, whose gradient is rounding and no more on both sides.

    Args:
        own: the largest entry of each of Keras's gradients.
        other: likewise of PyTorch's.
        keys: weights that both have.
    """
    theirs = {k: other[t] for k, t in keys if t in other}
    sides = [
        tolerance.negligible_gradients({"\0".join(key): size for key, size in side.items()})
        for side in (own, theirs)
    ]
    return {key for key, _ in keys if all("\0".join(key) in side for side in sides)}


def limits(torch: Side, t: TorchTrainer, batch: Batch) -> Callable[[Key, float], float]:
    """How far a gradient may stand off that stands so far, of PyTorch's model as it is now.

    What rounding does to it is found out once, and only where that decides.

    Args:
        torch: the PyTorch side, its weights as they are compared.
        t: its trainer.
        batch: that the gradients are of.
    """
    allowed: dict[Key, float] = {}

    def limit_of(theirs: Key, away: float) -> float:
        if LIMIT < away <= allowance.MOST and not allowed:
            t.start()
            allowed.update(allowance.gradients_allowed(torch, t, batch, LIMIT))
        return allowed.get(theirs, LIMIT)

    return limit_of
