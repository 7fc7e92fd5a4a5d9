"""How far tensors stand apart, block by block, so that none need be in memory whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from parity.blocks import BLOCK, Entries, over_blocks

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


ROW = 1 << 10
"""Entries whose squares are added up together."""


class _Block(NamedTuple):
    """What a block of a tensor and the same of its reference come to.

    ``scales`` and ``not_finite`` are those of :class:`Distance`; the sum of the squared differences
    is ``squares`` · ``unit``².
    """

    largest: float
    squares: float
    unit: float
    scales: tuple[float, float]
    not_finite: tuple[int, int]


def measure(shape: tuple[int, ...], reference: Entries, *others: Entries) -> list[Distance]:
    """Measure tensors of ``shape`` against a reference, which is read once for all of them.

    Differences are taken in float64. A NaN or infinity on either side counts as infinitely far,
    also where both sides have it.
    """
    blocks = [*over_blocks(_measure_block, reference, *others, block=BLOCK)]
    return [
        _in_all(shape, reference, other, [block[number] for block in blocks])
        for number, other in enumerate(others)
    ]


def _measure_block(reference: np.ndarray, *others: np.ndarray) -> list[_Block]:
    """One axis each, not empty."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        scale = _largest_finite(reference)
        return [_against(reference, other, scale) for other in others]


def _against(reference: np.ndarray, other: np.ndarray, scale: float) -> _Block:
    """Of a reference whose largest finite entry is ``scale``."""
    away = np.subtract(reference, other, dtype=np.float64)
    largest, bad = _largest(away), (0, 0)
    if not math.isfinite(largest):  # or else every entry is finite
        away = _away(reference, other)
        largest = float(away.max())
        bad = _count_not_finite(reference), _count_not_finite(other)
    unit = largest
    if SQUARED[0] < largest < SQUARED[1]:
        unit = 1.0
    else:
        away /= unit or 1.0
    return _Block(largest, _sum_of_squares(away), unit, (scale, _largest_finite(other)), bad)


def _in_all(
    shape: tuple[int, ...], reference: Entries, other: Entries, blocks: Sequence[_Block]
) -> Distance:
    """The distance, from that of all blocks."""
    if not blocks:
        return Distance(0.0, 0.0, (0.0, 0.0), (0,) * len(shape), None, (0, 0))
    largest = max(block.largest for block in blocks)
    start = BLOCK * [block.largest for block in blocks].index(largest)
    x, y = (entries[start : start + BLOCK] for entries in (reference, other))
    place = int(_away(x, y).argmax())
    rms = largest
    if 0 < largest < math.inf:
        squares = math.fsum(block.squares * (block.unit / largest) ** 2 for block in blocks)
        rms = largest * math.sqrt(squares / reference.size)
    return Distance(
        largest=largest,
        rms=rms,
        scales=_of_both(max, (block.scales for block in blocks)),
        index=tuple(int(i) for i in np.unravel_index(start + place, shape)),
        values=(float(x[place]), float(y[place])),
        not_finite=_of_both(sum, (block.not_finite for block in blocks)),
    )


def _of_both(over: Callable[[Iterable[Any]], Any], blocks: Iterable[tuple[Any, Any]]) -> Any:
    """What both sides' figures come to ``over`` all blocks."""
    reference, other = zip(*blocks, strict=True)
    return over(reference), over(other)


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


def _count_not_finite(entries: np.ndarray) -> int:
    return int(np.count_nonzero(~np.isfinite(entries)))


def _largest(entries: np.ndarray) -> float:
    """Largest absolute entry; a NaN goes through."""
    return abs(max(float(entries.max()), -float(entries.min())))


def _largest_finite(entries: np.ndarray) -> float:
    top = _largest(entries)
    if math.isfinite(top):
        return top
    return float(np.abs(entries).max(where=np.isfinite(entries), initial=0.0))
