"""The difference between tensors, measured block by block so that none need be in memory whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from parity.numerics.blocks import BLOCK, Entries, blocks, in_shares

SQUARED = (2.0**-480, 2.0**480)
"""Range of differences whose squares are added without scaling: none overflows, and those that
underflow are too small to matter."""

PART = 1_000_000
"""Entries of an array that :func:`distance` reads at a time, at least a row: an array that is
not contiguous is copied part by part."""


@dataclass(frozen=True)
class Distance:
    """The difference between a tensor and its reference.

    Attributes:
        largest: largest absolute difference; inf if an entry of either side is not finite (see
            :func:`measure`).
        rms: root of the mean squared difference; inf likewise.
        scales: largest absolute finite entry of (the reference, the other).
        index: position of the largest difference.
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
        """Largest difference relative to the scale; 0 if all entries of both are zero."""
        return self.largest / self.scale if self.scale else self.largest


def relative_error(
    reference: ArrayLike, other: ArrayLike, *, equal_infinities: bool = True
) -> float:
    """Largest absolute difference between two arrays, relative to the largest entry of either.

    Args and result: see :func:`distance`.
    """
    return distance(reference, other, equal_infinities=equal_infinities).relative


def distance(reference: ArrayLike, other: ArrayLike, *, equal_infinities: bool = True) -> Distance:
    """Measure the difference between two arrays.

    Args:
        reference: any shape and dtype of numbers.
        other: likewise.
        equal_infinities: whether an infinity equals the same one at the same position, as in
            scores that a mask removes; see :func:`measure`.

    Returns:
        The difference; inf if shapes differ, or if an entry of either is not finite and has no such
        equal.
    """
    a, b = np.asarray(reference), np.asarray(other)
    if a.shape != b.shape:
        return Distance(math.inf, math.inf, (0.0, 0.0), (), None, (0, 0))
    parts = max(1, min(len(a), a.size // PART)) if a.ndim else 1
    measured = partial(measure, equal_infinities=equal_infinities, alone=True)
    if parts == 1:
        return measured(a.shape, a.reshape(-1), b.reshape(-1))[0]
    split = zip(*(np.array_split(one, parts) for one in (a, b)), strict=True)
    found = [(x, measured(x.shape, x.reshape(-1), y.reshape(-1))[0]) for x, y in split]
    place = max(range(parts), key=lambda number: found[number][1].largest)
    worst, every = found[place][1], [one for _, one in found]
    rows = sum(len(x) for x, _ in found[:place])
    squares = math.fsum(one.rms**2 * x.size for x, one in found)
    return Distance(
        worst.largest,
        math.sqrt(squares / a.size),
        (max(one.scales[0] for one in every), max(one.scales[1] for one in every)),
        (rows + worst.index[0], *worst.index[1:]),
        worst.values,
        (sum(one.not_finite[0] for one in every), sum(one.not_finite[1] for one in every)),
    )


ROW = 1 << 13
"""Entries whose squares are added together."""


class _Partial:
    """The difference between a tensor and its reference over the blocks read so far.

    Attributes:
        largest, scales, not_finite: as in :class:`Distance`; -1 for ``largest`` before any block.
        start: first entry of the block with the largest difference.
        squares: of each block (s, u): the sum of its squared differences is s·u².
    """

    def __init__(self, equal_infinities: bool) -> None:
        self.equal_infinities = equal_infinities
        self.largest, self.start = -1.0, 0
        self.scales = [0.0, 0.0]
        self.not_finite = [0, 0]
        self.squares: list[tuple[float, float]] = []

    def add(
        self, start: int, reference: np.ndarray, other: np.ndarray, scale: float, away: np.ndarray
    ) -> None:
        """Add a block.

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
        largest = largest_entry(away)
        if not math.isfinite(largest):  # otherwise every entry is finite
            away = _absolute_differences(reference, other, self.equal_infinities)
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
        if (scale + largest) * (1.0 + 2.0**-50) >= self.scales[1]:  # otherwise it is not larger
            self.scales[1] = max(self.scales[1], _largest_finite(other))


def measure(
    shape: tuple[int, ...],
    reference: Entries,
    *others: Entries,
    equal_infinities: bool = False,
    alone: bool = False,
) -> list[Distance]:
    """Measure the difference between a reference and tensors of its shape, in float64.

    A NaN on either side is an infinite difference, and so is an infinity.

    Args:
        shape: of all tensors.
        reference: read once for all others.
        others: measured one by one.
        equal_infinities: whether the same infinity at the same position of both sides is no
            difference.
        alone: whether this process does all of it; see :func:`parity.numerics.blocks.in_shares`.
    """
    share = partial(_measure_share, reference, others, equal_infinities)
    shares = in_shares(share, reference.size, alone)
    return [
        _total(shape, reference, other, [share[number] for share in shares], equal_infinities)
        for number, other in enumerate(others)
    ]


def _measure_share(
    reference: Entries, others: Sequence[Entries], equal_infinities: bool, start: int, stop: int
) -> list[_Partial]:
    """Each of the others against the reference, entries ``start:stop``."""
    found = [_Partial(equal_infinities) for _ in others]
    room = np.empty(min(BLOCK, stop - start))
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        for place, (x, *those) in blocks(start, stop, reference, *others, block=BLOCK):
            scale, away = _largest_finite(x), room[: len(x)]
            for one, y in zip(found, those, strict=True):
                one.add(place, x, y, scale, away)
    return found


def _total(
    shape: tuple[int, ...],
    reference: Entries,
    other: Entries,
    shares: Sequence[_Partial],
    equal_infinities: bool,
) -> Distance:
    """The difference over all shares."""
    if not shares:
        return Distance(0.0, 0.0, (0.0, 0.0), (0,) * len(shape), None, (0, 0))
    worst = max(shares, key=lambda share: share.largest)  # the first of them
    largest, start = worst.largest, worst.start
    x, y = (entries[start : start + BLOCK] for entries in (reference, other))
    place = int(_absolute_differences(x, y, equal_infinities).argmax())
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


def _absolute_differences(
    reference: np.ndarray, other: np.ndarray, equal_infinities: bool
) -> np.ndarray:
    """Absolute differences in float64; inf where a side is not finite, but for equal infinities."""
    with np.errstate(invalid="ignore", over="ignore"):
        found: np.ndarray = np.abs(np.subtract(reference, other, dtype=np.float64))
    found[~(np.isfinite(reference) & np.isfinite(other))] = np.inf
    if equal_infinities:
        found[np.isinf(reference) & (reference == other)] = 0.0
    return found


def _sum_of_squares(entries: np.ndarray) -> float:
    """Sum of squares, row by row: more exact, and BLAS starts no threads of its own."""
    whole = entries.size // ROW * ROW
    rows, rest = entries[:whole].reshape(-1, ROW), entries[whole:]
    return float(np.vecdot(rows, rows).sum() + np.vecdot(rest, rest))


def largest_entry(values: np.ndarray) -> float:
    """Largest absolute entry, without a copy; 0 if there is none, NaN if one is."""
    return abs(max(float(values.max()), -float(values.min()))) if values.size else 0.0


def _largest_finite(entries: np.ndarray) -> float:
    top = largest_entry(entries)
    if math.isfinite(top):
        return top
    return float(np.abs(entries).max(where=np.isfinite(entries), initial=0.0))
