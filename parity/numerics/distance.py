"""How far tensors stand apart, block by block, so that none need be in memory whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from parity.numerics.blocks import BLOCK, Entries, blocks, in_shares

SQUARED = (2.0**-480, 2.0**480)
"""Differences whose squares can be added up as they are: none overflows, and what underflows is too
small to matter."""


@dataclass(frozen=True)
class Distance:
    """What separates a tensor from its reference.

    Attributes:
        largest: largest absolute difference; inf where an entry of either side is not finite.
        rms: root of the mean squared difference; inf likewise.
        scales: largest absolute finite entry of (the reference, the other).
        index: where the largest difference is.
        values: (reference's, other's) entry there; None for tensors without entries.
        not_finite: number of NaN and infinite entries of (the reference, the other).
    """

    largest: float
    rms: float
    scales: tuple[float, float]
    index: tuple[int, ...]
    values: tuple[float, float] | None
    not_finite: tuple[int, int]

    @property
    def scale(self) -> float:
        """Largest absolute entry of either side."""
        return max(self.scales)

    @property
    def relative(self) -> float:
        """Largest difference relative to the scale; 0 where both are zero throughout."""
        return self.largest / self.scale if self.scale else self.largest


ROW = 1 << 13
"""Entries whose squares are added up together."""


class _Found:
    """What is known of a tensor against its reference, after some blocks.

    Attributes:
        largest, scales, not_finite: as in :class:`Distance`; -1 for ``largest`` before any block.
        start: first entry of the block with the largest difference.
        squares: of each block (s, u): the sum of its squared differences is s·u².
    """

    def __init__(self) -> None:
        self.largest, self.start = -1.0, 0
        self.scales = [0.0, 0.0]
        self.not_finite = [0, 0]
        self.squares: list[tuple[float, float]] = []

    def add(
        self, start: int, reference: np.ndarray, other: np.ndarray, scale: float, away: np.ndarray
    ) -> None:
        """Take a block in.

        Args:
            start: its first entry.
            reference: the reference's entries.
            other: the other's.
            scale: the reference's largest finite one.
            away: float64, of their shape, to be overwritten: new memory costs as much as a pass.
        """
        other_64 = other
        if other.dtype != away.dtype:  # NumPy converts faster by itself than within a subtraction
            np.copyto(away, other)
            other_64 = away
        np.subtract(reference, other_64, out=away)
        largest = _largest(away)
        if not math.isfinite(largest):  # or else every entry is finite
            away = _away(reference, other)
            largest = float(away.max())
            for side, entries in enumerate((reference, other)):
                self.not_finite[side] += int(np.count_nonzero(~np.isfinite(entries)))
        unit = 1.0
        if not SQUARED[0] < largest < SQUARED[1]:
            unit = largest
            away /= unit or 1.0
        self.squares.append((_sum_of_squares(away), unit))
        if largest > self.largest:
            self.largest, self.start = largest, start
        self.scales[0] = max(self.scales[0], scale)
        if (scale + largest) * (1.0 + 2.0**-50) >= self.scales[1]:  # or else it cannot be larger
            self.scales[1] = max(self.scales[1], _largest_finite(other))


def measure(shape: tuple[int, ...], reference: Entries, *others: Entries) -> list[Distance]:
    """Measure tensors of ``shape`` against a reference, which is read once for all of them.

    Differences are taken in float64. A NaN or infinity on either side counts as infinitely far,
    also where both sides have it.
    """
    shares = in_shares(partial(_measure_share, reference, others), reference.size)
    return [
        _in_all(shape, reference, other, [share[number] for share in shares])
        for number, other in enumerate(others)
    ]


def _measure_share(
    reference: Entries, others: Sequence[Entries], start: int, stop: int
) -> list[_Found]:
    """Each of the others against the reference, entries ``start:stop``."""
    found = [_Found() for _ in others]
    room = np.empty(min(BLOCK, stop - start))
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        for place, (x, *those) in blocks(start, stop, reference, *others, block=BLOCK):
            scale, away = _largest_finite(x), room[: len(x)]
            for one, y in zip(found, those, strict=True):
                one.add(place, x, y, scale, away)
    return found


def _in_all(
    shape: tuple[int, ...], reference: Entries, other: Entries, shares: Sequence[_Found]
) -> Distance:
    """The distance, from that of all shares."""
    if not shares:
        return Distance(0.0, 0.0, (0.0, 0.0), (0,) * len(shape), None, (0, 0))
    worst = max(shares, key=lambda share: share.largest)  # the first of them
    largest, start = worst.largest, worst.start
    x, y = (entries[start : start + BLOCK] for entries in (reference, other))
    place = int(_away(x, y).argmax())
    rms = largest
    if 0 < largest < math.inf:
        squares = [s * (unit / largest) ** 2 for share in shares for s, unit in share.squares]
        rms = largest * math.sqrt(math.fsum(squares) / reference.size)
    return Distance(
        largest=largest,
        rms=rms,
        scales=(max(s.scales[0] for s in shares), max(s.scales[1] for s in shares)),
        index=tuple(int(i) for i in np.unravel_index(start + place, shape)),
        values=(float(x[place]), float(y[place])),
        not_finite=(sum(s.not_finite[0] for s in shares), sum(s.not_finite[1] for s in shares)),
    )


def _away(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Absolute differences in float64; inf wherever a side is not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        away: np.ndarray = np.abs(np.subtract(reference, other, dtype=np.float64))
    away[~(np.isfinite(reference) & np.isfinite(other))] = np.inf
    return away


def _sum_of_squares(entries: np.ndarray) -> float:
    """Row by row: added up more exactly, and BLAS starts no threads of its own."""
    whole = entries.size // ROW * ROW
    rows, rest = entries[:whole].reshape(-1, ROW), entries[whole:]
    return float(np.vecdot(rows, rows).sum() + np.vecdot(rest, rest))


def _largest(entries: np.ndarray) -> float:
    """Largest absolute entry; a NaN goes through."""
    return abs(max(float(entries.max()), -float(entries.min())))


def _largest_finite(entries: np.ndarray) -> float:
    top = _largest(entries)
    if math.isfinite(top):
        return top
    return float(np.abs(entries).max(where=np.isfinite(entries), initial=0.0))
