"""Random streams from one seed, with the same bits for every backend.

Every tensor has its own stream, ``Philox(key=[seed, digest of its name])`` (Salmon et al.,
"Parallel random numbers: as easy as 1, 2, 3", 2011), so that numbers do not
depend on the order of draws. Masks depend only on the number of the step, so that a run can be
resumed at any step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random generator of ``name`` for ``seed`` (0 ≤ seed < 2⁶³)."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    key = np.array([seed, int.from_bytes(digest, "little")], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def ulp_neighbour(
    weights: Mapping[str, np.ndarray], seed: int, member: int, dtype: str = "float32"
) -> dict[str, np.ndarray]:
    """Return the weights with every entry changed by one ulp of ``dtype``, up or down at random.

    Returns:
        float64 arrays exactly representable in ``dtype``, different for each ``member``.
    """
    changed = {}
    kind = np.dtype(dtype).type
    for name, value in weights.items():
        up = stream(seed, f"ulp/{member}/{name}").integers(0, 2, value.shape, dtype=np.uint8)
        target = np.where(up, kind(np.inf), kind(-np.inf))
        changed[name] = np.nextafter(value.astype(kind), target).astype(np.float64)
    return changed


def row_order(seed: int, member: int, size: int) -> np.ndarray:
    """Return a random order of a batch's examples for an ensemble member: int64 permutation."""
    return stream(seed, f"rows/{member}/{size}").permutation(size)


def epoch_order(seed: int, epoch: int, examples: int) -> np.ndarray:
    """Return the order of the examples in an epoch (numbered from 0): int64 permutation."""
    return stream(seed, f"order/{epoch}").permutation(examples)


def keep_mask(
    seed: int, layer: str, step: int, batch: int, shape: tuple[int, ...], rate: float
) -> np.ndarray:
    """Return which units a dropout layer keeps at a step (numbered from 0).

    Returns:
        bool (batch, *shape), True with probability 1 − rate. The bits do not depend on the dtype of
        the run, and a shorter batch gets the first rows of a longer one's mask.
    """
    draws = stream(seed, f"mask/{layer}/{step}").random((batch, *shape), dtype=np.float32)
    return draws >= rate
