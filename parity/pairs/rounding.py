"""What rounding does to a model: how far float32 may stand off, where float64 cannot be had."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from parity import randomness, tolerance
from parity.pairs.align import Alignment
from parity.pairs.calls import Run
from parity.pairs.divergence import distance
from parity.pairs.side import Side


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
        other = torch.run(inputs, torch_inputs)
        other = other.with_outputs(other.calls)
        for place, call in enumerate(other.calls):
            moved[place] = max(moved[place], distance(run.calls[place].output, call.output))
    for t, values in zip(heavy, first, strict=True):
        torch.set_weights(t.name, values)
    for k, t in alignment.pairs:
        rounding = tolerance.ENSEMBLE_MULTIPLE * moved[t.number]
        k.allowed = max(tolerance.FLOAT32_FLOOR, rounding)
