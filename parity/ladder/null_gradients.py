"""Null gradients: parameters whose gradient is only rounding error."""

from __future__ import annotations

import itertools

from parity.adapters.backend import Model
from parity.data.batches import Chunk
from parity.data.datasets import Split
from parity.numerics import tolerance


def measure_null_gradients(model: Model, plan: list[Chunk], train: Split) -> dict[str, float]:
    """Return parameters whose gradient is only rounding error, with its largest entry.

    Args:
        model: in float64, with the weights at which to compute gradients.
        plan: batches, of which the first :data:`parity.numerics.tolerance.NULL_BATCHES` are used.
        train: the training examples.

    A gradient must be negligible in all batches. Parameters whose gradient is exactly zero in all
    of them are left out: they have no rounding error that an optimizer could amplify.
    """
    largest: dict[str, float] = {}
    candidates: frozenset[str] | None = None
    batches = (chunk.part(step).first_batch(train) for chunk in plan for step in range(chunk.steps))
    for batch in itertools.islice(batches, tolerance.NULL_BATCHES):
        found = {name: float(abs(g).max()) for name, g in model.gradients(batch).items()}
        negligible = tolerance.negligible_gradients(found)
        candidates = negligible if candidates is None else candidates & negligible
        for name in candidates:
            largest[name] = max(largest.get(name, 0.0), found[name])
        if not candidates:
            break
    return {name: largest[name] for name in sorted(candidates or ()) if largest[name]}
