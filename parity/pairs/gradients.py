"""Gradients of a pair: compared for some of the weights at a time, and why they part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from parity import tolerance
from parity.errors import ParityError
from parity.pairs.diagnosis import UNKNOWN, Cause, Proof
from parity.pairs.divergence import Divergence, distance, largest
from parity.pairs.trainer import LOOSE, Batch, Gradients, Key, TorchTrainer, Trainer

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
        own_loss, own = k.gradients(batch, 0, [key for key, _ in group])
        other_loss, other = t.gradients(batch, 0, [theirs for _, theirs in group])
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


def causes_of(
    k: Trainer,
    t: TorchTrainer,
    batch: Batch,
    keys: Sequence[Pair],
    parted: Sequence[Divergence],
    frozen: Sequence[tuple[Key, Key, float]],
) -> list[Cause]:
    """Why gradients part: weights that are frozen or held back; one unknown at worst.

    Args:
        k: Keras's side.
        t: PyTorch's; weights that only one side trains are frozen, or train, as Keras's do then.
        batch: that the gradients are of.
        keys: weights that both have.
        parted: those that part.
        frozen: those that only one side trains, with how far they stand apart.
    """
    causes: list[Cause] = []
    _, own = k.gradients(batch, 0)
    for key, theirs, _ in frozen:
        t.freeze(theirs, k.frozen(key))
    _, other = t.gradients(batch, 0)
    for key, theirs, before in frozen:
        there = (own.get(key), other.get(theirs))
        after = 0.0 if there[0] is None and there[1] is None else float("inf")
        if there[0] is not None and there[1] is not None:
            after = distance(there[0], there[1])
        states = ("frozen", "trained") if k.frozen(key) else ("trained", "frozen")
        ident = "layer.trainable" if after <= LIMIT else UNKNOWN
        cause = Cause(ident, key[0], *states, Proof(before, after), "gradients")
        if (ident, key[0]) not in {(one.id, one.layer) for one in causes}:
            causes.append(cause)
    if frozen:
        return causes
    return _padding_rows(own, other, keys) or [_detached(t, batch, keys, parted, own)]


def _detached(
    t: TorchTrainer,
    batch: Batch,
    keys: Sequence[Pair],
    parted: Sequence[Divergence],
    own: Gradients,
) -> Cause:
    """What PyTorch's forward pass holds back; unknown where that does not explain it."""
    apart = {(one.keras_layer, one.tensor) for one in parted}
    t.attached = True
    try:
        _, other = t.gradients(batch, 0)
    except (RuntimeError, ParityError):  # it writes where nothing may be written then
        other = {}
    finally:
        t.attached = False
    null = negligible(sizes_of(own), sizes_of(other), keys)
    left = [pair for pair in keys if pair[0] in apart and pair[0] not in null]
    after = float("inf")
    if left and all(key in own and theirs in other for key, theirs in left):
        after = max(distance(own[key], other[theirs]) for key, theirs in left)
    first = parted[0]
    name, before = first.keras_layer or "", max(one.observed for one in parted)
    if after <= LIMIT:
        proof = Proof(before, after)
        return Cause("gradient.detached", name, "passes", "detached", proof, "gradients")
    proof = Proof(first.observed, first.observed)
    return Cause(UNKNOWN, name, first.tensor, first.tensor, proof, "gradients")


def _padding_rows(own: Gradients, other: Gradients, keys: Sequence[Pair]) -> list[Cause]:
    """Embeddings of which PyTorch trains all rows but one."""
    found = []
    for key, theirs in keys:
        if key[1] not in ("embeddings", LOOSE) or key not in own or theirs not in other:
            continue
        k, t = own[key], other[theirs]
        if k.ndim != 2 or distance(k, t) <= LIMIT:
            continue
        rows = np.flatnonzero(k.any(-1) & ~t.any(-1))
        if len(rows) != 1:
            continue
        kept = np.arange(len(k)) != rows[0]
        after = distance(k[kept], t[kept])
        if after <= LIMIT:
            states = "every row trains", f"padding_idx={rows[0]}"
            proof = Proof(distance(k, t), after)
            found.append(Cause("embedding.padding_idx", key[0], *states, proof, "gradients"))
    return found
