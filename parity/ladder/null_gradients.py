"""Parameters whose gradient is rounding error alone."""

from __future__ import annotations

import itertools

from parity.adapters.backend import Model
from parity.data.batches import Chunk
from parity.data.datasets import Split
from parity.numerics import tolerance


def measure_null_gradients(model: Model, plan: list[Chunk], train: Split) -> dict[str, float]:
    """Parameters whose gradient is rounding alone in every batch looked at, with its largest entry.

    Args:
        model: in float64, at the weights to look from.
        plan: the batches to look at, the first :data:`parity.numerics.tolerance.NULL_BATCHES` of
        them.
        train: the examples that they are of.

    Rounding may come to an exact zero in one batch, but hardly in all; what is exactly zero in all
    has no rounding to magnify.
    """
    largest: dict[str, float] = {}
    candidates: frozenset[str] | None = None
    batches_ahead = (
        chunk.part(step).first_batch(train) for chunk in plan for step in range(chunk.steps)
    )
    for batch in itertools.islice(batches_ahead, tolerance.NULL_BATCHES):
        found = {name: float(abs(g).max()) for name, g in model.gradients(batch).items()}
        negligible = tolerance.negligible_gradients(found)
        candidates = negligible if candidates is None else candidates & negligible
        for name in candidates:
            largest[name] = max(largest.get(name, 0.0), found[name])
        if not candidates:
            break
    return {name: largest[name] for name in sorted(candidates or ()) if largest[name]}
