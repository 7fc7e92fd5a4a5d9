"""Gradients of a pair, for some of the weights at a time, and how far each may stand off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from parity import tolerance
from parity.pairs import rounding
from parity.pairs.divergence import distance, largest
from parity.pairs.side import Side
from parity.pairs.trainer import Batch, Gradients, Key, TorchTrainer, Trainer

Pair = tuple[Key, Key]
"""A weight that both have, by the names of either side."""

LIMIT = tolerance.FLOAT64["gradients"].limit

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
        if LIMIT < away <= rounding.MOST and not allowed:
            t.start()
            allowed.update(rounding.gradients_allowed(torch, t, batch, LIMIT))
        return allowed.get(theirs, LIMIT)

    return limit_of
