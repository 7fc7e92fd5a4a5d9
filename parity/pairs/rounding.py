"""What rounding does to a model: how far float32 may stand off, and gradients in float64."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np

from parity import randomness, tolerance
from parity.errors import ParityError
from parity.pairs.align import Alignment
from parity.pairs.calls import Run
from parity.pairs.divergence import distance
from parity.pairs.side import Side
from parity.pairs.trainer import LOOSE, Batch, Gradients, Key, Trainer

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
            near = randomness.ulp_neighbour(named, 0, member)
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
            near = randomness.ulp_neighbour({key: value}, 0, member, dtype)
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
