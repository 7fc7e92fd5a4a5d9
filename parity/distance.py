"""How far two tensors stand apart, piece by piece, so that none need be in memory whole."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


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


def measure(shape: tuple[int, ...], pieces: Iterable[tuple[np.ndarray, np.ndarray]]) -> Distance:
    """Measure two tensors of ``shape``, given as pairs of consecutive slices of the first axis.

    Differences are taken in float64. A NaN or infinity on either side counts as infinitely far,
    also where both sides have it.
    """
    largest, index, values = -1.0, (0,) * len(shape), None
    scales, not_finite = [0.0, 0.0], [0, 0]
    squares, unit = 0.0, 0.0  # the sum of squares is squares · unit², which cannot overflow
    count = start = 0
    for pair in pieces:
        a, b = (side.astype(np.float64, copy=False) for side in pair)
        if a.size:
            with np.errstate(invalid="ignore", over="ignore"):
                away = np.abs(a - b)
            if not math.isfinite(away.max()):
                away = _mark_not_finite(a, b, away, not_finite)
            for side, entries in enumerate((a, b)):
                scales[side] = max(scales[side], _largest_finite(entries))
            place = np.unravel_index(int(away.argmax()), away.shape)
            top = float(away[place])
            if top > largest:
                largest, values = top, (float(a[place]), float(b[place]))
                index = tuple(int(i) for i in place)
                if shape:
                    index = (index[0] + start, *index[1:])
            if top > unit:
                squares, unit = squares * (unit / top) ** 2, top
            if 0 < unit < math.inf:
                with np.errstate(under="ignore"):
                    flat = (away / unit).reshape(-1)
                    squares += float(flat @ flat)
            count += a.size
        start += len(a) if shape else 0
    rms = unit if unit == math.inf else unit * math.sqrt(squares / count) if count else 0.0
    return Distance(
        largest=max(largest, 0.0),
        rms=rms,
        scales=(scales[0], scales[1]),
        index=index,
        values=values,
        not_finite=(not_finite[0], not_finite[1]),
    )


def _mark_not_finite(
    a: np.ndarray, b: np.ndarray, away: np.ndarray, not_finite: list[int]
) -> np.ndarray:
    """``away`` with inf wherever a side is not finite; counts those entries of each side."""
    bad = ~np.isfinite(a), ~np.isfinite(b)
    for side in (0, 1):
        not_finite[side] += int(np.count_nonzero(bad[side]))
    return np.where(bad[0] | bad[1], np.inf, away)


def _largest_finite(entries: np.ndarray) -> float:
    top = max(float(entries.max()), -float(entries.min()))  # a NaN goes through both
    if math.isfinite(top):
        return top
    return float(np.abs(entries).max(where=np.isfinite(entries), initial=0.0))
