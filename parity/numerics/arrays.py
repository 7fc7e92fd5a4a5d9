"""The largest difference between two arrays."""

from __future__ import annotations

import numpy as np


def distance(reference: np.ndarray, other: np.ndarray) -> float:
    """Largest absolute difference relative to the largest entry of either.

    Inf where shapes differ, where one has a number that is not, and for an infinity that the other
    does not have in the same place.
    """
    if reference.shape != other.shape:
        return float("inf")
    if reference.size == 0 or np.array_equal(reference, other):
        return 0.0
    sizes = largest(reference), largest(other)
    if not np.isfinite(sizes).all():
        return _beside_infinities(reference, other)
    parts = max(1, min(len(reference), reference.size // PART)) if reference.ndim else 1
    away = max(
        largest(np.subtract(own, theirs, dtype=np.float64))
        for own, theirs in zip(
            np.array_split(np.atleast_1d(reference), parts),
            np.array_split(np.atleast_1d(other), parts),
            strict=True,
        )
    )
    return away / max(sizes) if max(sizes) else 0.0


def _beside_infinities(reference: np.ndarray, other: np.ndarray) -> float:
    """Of what is finite where both are infinite alike, as scores that a mask keeps out are."""
    alike = np.isinf(reference) & (reference == other)
    if not (np.isfinite(reference) | alike).all() or not (np.isfinite(other) | alike).all():
        return float("inf")
    return distance(np.where(alike, 0.0, reference), np.where(alike, 0.0, other))


PART = 1_000_000
"""Entries that are subtracted at a time, at least a row: of large arrays no whole difference."""


def largest(values: np.ndarray) -> float:
    """Largest absolute entry, 0 where there is none; NaN where one is, without a copy."""
    return max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))
