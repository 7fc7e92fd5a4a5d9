"""Causes between the unequal inputs of two layers: other axes, other masked scores."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from parity.adapters.calls import Output
from parity.numerics.distance import relative_error
from parity.pairs.causes.unequal import UnequalInputs
from parity.reference.layers.activations import Activation, Softmax
from parity.verdict.result import Cause, Proof

MASKED = -1e3
"""Scores below this, and below the largest by as much, count as masked."""


def cause_of(pair: UnequalInputs) -> Cause | None:
    """The cause, if one of these makes the inputs equal."""
    return masked_otherwise(pair) or transposed(pair)


def masked_otherwise(pair: UnequalInputs) -> Cause | None:
    """Scores of a softmax that are equal where neither model masks them."""
    k, t = pair.keras, pair.torch
    softmax = isinstance(k.config, Softmax) or k.config == Activation(activation="softmax")
    if not softmax or not t.inputs or k.inputs[0].shape != t.inputs[0].shape:
        return None
    mask, other = _masked(k.inputs[0]), _masked(t.inputs[0])
    if np.array_equal(mask, other):
        return None
    both = ~mask & ~other
    after = relative_error(k.inputs[0][both], t.inputs[0][both]) if both.any() else 0.0
    if after > k.allowed:
        return None
    polarity = np.array_equal(mask, ~other)
    name = "attention.mask_polarity" if polarity else "attention.mask"
    proof = Proof(pair.difference, after)
    return Cause(name, k.name, _text(mask), _text(other), proof)


def _text(mask: np.ndarray) -> str:
    return f"masks {np.count_nonzero(mask)} of {mask.size} scores"


def _masked(scores: np.ndarray) -> np.ndarray:
    finite = np.where(np.isfinite(scores), scores, -np.inf)
    return np.asarray(finite < MASKED + max(float(finite.max()), 0.0))


def transposed(pair: UnequalInputs) -> Cause | None:
    """An input that is equal with its axes in another order; the examples stay first."""
    k, t = pair.keras, pair.torch
    if not isinstance(k.config, Output) or len(t.inputs) != 1:
        return None
    x, y = k.inputs[0], t.inputs[0]
    if x.ndim != y.ndim or x.ndim < 3 or sorted(x.shape) != sorted(y.shape):
        return None
    for order in permutations(range(1, x.ndim)):
        moved = y.transpose(0, *order)
        if moved.shape == x.shape and relative_error(x, moved) <= k.allowed:
            after = relative_error(x, moved)
            names, others = ", ".join(map(str, range(x.ndim))), ", ".join(map(str, (0, *order)))
            return Cause("structure.axes", k.name, names, others, Proof(pair.difference, after))
    return None
