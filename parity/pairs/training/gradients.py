"""Gradients of a pair, for some of the weights at a time to save memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from parity.adapters.trainer import Batch, Gradients, Key, Trainer
from parity.numerics import tolerance
from parity.numerics.distance import largest_entry
from parity.verdict.model_pair import ModelPair, Observation

Keys = tuple[Key, Key]
"""A weight that both have, by its key in Keras and in PyTorch."""

PART = 50_000_000
"""Entries of the gradients that are in memory at a time, on either side; of one weight, all are."""


@dataclass(frozen=True)
class Compared:
    """Both sides' gradients, compared.

    Attributes:
        losses: Keras's, penalties included, and PyTorch's.
        sizes: the largest entry of each gradient of Keras's, and of PyTorch's.
        observed: each gradient that either has, observed.
    """

    losses: tuple[float, float]
    sizes: tuple[Mapping[Key, float], Mapping[Key, float]]
    observed: ModelPair


def observation(key: Key, other: Key) -> Observation:
    """The gradient of a weight, by its key in Keras and in PyTorch."""
    return Observation("gradients", "/".join(key), "gradient", (key[0], other[0]))


def sizes_of(gradients: Gradients) -> dict[Key, float]:
    """The largest entry of each."""
    return {key: largest_entry(one) for key, one in gradients.items()}


def parts(keys: Sequence[Keys], weights: Mapping[Key, np.ndarray]) -> list[list[Keys]]:
    """Split the weights into groups whose gradients are in memory together.

    Args:
        keys: in order.
        weights: of Keras.
    """
    found: list[list[Keys]] = [[]]
    count = 0
    for pair in keys:
        size = weights[pair[0]].size
        if found[-1] and count + size > PART:
            found.append([])
            count = 0
        found[-1].append(pair)
        count += size
    return found


def compare(
    k: Trainer,
    t: Trainer,
    batch: Batch,
    groups: Sequence[Sequence[Keys]],
    rounding: Callable[[str], tuple[float, float]],
    dtype: str = "float64",
) -> Compared:
    """Compare the gradients group by group.

    Args:
        k: Keras's side.
        t: PyTorch's.
        batch: that the gradients are of.
        groups: see :func:`parts`.
        rounding: see :meth:`parity.verdict.pair.Pair.rounding`.
        dtype: of both models.
    """
    losses = (0.0, 0.0)
    sizes: tuple[dict[Key, float], dict[Key, float]] = ({}, {})
    observed = ModelPair(dtype, rounding=rounding)
    for group in groups:
        few = len(groups) > 1
        keras_loss, expected = k.gradients(batch, 0, [key for key, _ in group] if few else None)
        torch_loss, actual = t.gradients(batch, 0, [key for _, key in group] if few else None)
        losses = keras_loss, torch_loss
        for key, other in group:
            observed.observe(observation(key, other), expected.get(key), actual.get(other))
        sizes[0].update(sizes_of(expected))
        sizes[1].update(sizes_of(actual))
        del expected, actual  # before the next group's are computed
    if k.loss_in_float32 or t.loss_in_float32:
        observed.least = tolerance.LOSS_IN_FLOAT32
    return Compared(losses, sizes, observed)
