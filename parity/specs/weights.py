"""Initial weights, probe weights and random draws of a spec, from one seed."""

from __future__ import annotations

import numpy as np

from parity.numerics.random import keep_mask, stream
from parity.reference import initializers
from parity.specs.base import Draw, ModelSpec


def initial_weights(model: ModelSpec, seed: int) -> dict[str, np.ndarray]:
    """Every tensor of the canonical table: float64, values exactly representable in float32."""
    return {
        row.name: initializers.draw(
            row.initializer, row.shape, row.fans, stream(seed, f"weights/{row.name}")
        )
        for row in model.parameters()
    }


def probe_weights(model: ModelSpec, seed: int) -> dict[str, np.ndarray]:
    """Initial weights with every constant tensor moved off its constant by U(−0.1, 0.1).

    The ladder starts here: at biases of zero and scales of one, exchanged biases, a missing bias
    or statistics never read would not show.
    """
    weights = initial_weights(model, seed)
    for row in model.parameters():
        if row.initializer in initializers.CONSTANT:
            moved = weights[row.name] + stream(seed, f"probe/{row.name}").uniform(
                -0.1, 0.1, row.shape
            )
            weights[row.name] = moved.astype(np.float32).astype(np.float64)
    return weights


def draw(seed: int, layer: str, step: int, batch: int, wanted: Draw) -> np.ndarray:
    """What a layer draws at a step (numbered from 0): (batch, *shape), bool or float32.

    As for :func:`keep_mask`, neither dtype nor batch size change an example's numbers.
    """
    if wanted.kind == "mask":
        return keep_mask(seed, layer, step, batch, wanted.shape, wanted.rate)
    numbers, shape = stream(seed, f"mask/{layer}/{step}"), (batch, *wanted.shape)
    if wanted.kind == "normal":
        return numbers.standard_normal(shape, dtype=np.float32)
    return numbers.random(shape, dtype=np.float32)
