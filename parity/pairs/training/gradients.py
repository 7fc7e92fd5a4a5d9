"""Gradients of a pair, for some of the weights at a time, and how far each may stand off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from parity.adapters.trainer import Batch, Key, Trainer
from parity.numerics.arrays import distance
from parity.pairs.allowance import Pair, sizes_of

PART = 50_000_000
"""Entries of the gradients that are there at a time, on either side; of one weight, all are."""


@dataclass
class Found:
    """What the gradients show.

    Attributes:
        losses: Keras's, penalties included, and PyTorch's.
        sizes: the largest entry of each gradient of Keras's, and of PyTorch's.
        away: how far two gradients stand apart, where both are there.
    """

    losses: tuple[float, float] = (0.0, 0.0)
    sizes: tuple[dict[Key, float], dict[Key, float]] = field(default_factory=lambda: ({}, {}))
    away: dict[Pair, float] = field(default_factory=dict)


def parts(keys: Sequence[Pair], weights: Mapping[Key, np.ndarray]) -> list[list[Pair]]:
    """The weights in groups whose gradients are there together; one group where they are small.

    Args:
        keys: in order.
        weights: of Keras.
    """
    found: list[list[Pair]] = [[]]
    count = 0
    for pair in keys:
        size = weights[pair[0]].size
        if found[-1] and count + size > PART:
            found.append([])
            count = 0
        found[-1].append(pair)
        count += size
    return found


def compare(k: Trainer, t: Trainer, batch: Batch, groups: Sequence[Sequence[Pair]]) -> Found:
    """Of every group both sides' at a time.

    Args:
        k: Keras's side.
        t: PyTorch's.
        batch: that the gradients are of.
        groups: see :func:`parts`.
    """
    found = Found()
    for group in groups:
        few = len(groups) > 1
        own_loss, own = k.gradients(batch, 0, [key for key, _ in group] if few else None)
        other_loss, other = t.gradients(batch, 0, [theirs for _, theirs in group] if few else None)
        found.losses = own_loss, other_loss
        for key, theirs in group:
            if key in own and theirs in other:
                found.away[key, theirs] = distance(own[key], other[theirs])
        for sizes, gradients in zip(found.sizes, (own, other), strict=True):
            sizes |= sizes_of(gradients)
        del own, other, gradients  # before there are others
    return found
