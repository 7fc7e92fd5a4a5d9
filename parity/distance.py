"""How far two tensors stand apart, piece by piece, so that none need be in memory whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Distance:
    """What separates a tensor from its reference.

    Attributes:
        largest: largest absolute difference; inf where one side is not finite.
        scale: largest absolute entry of either side.
        rms: root of the mean squared difference.
        index: where the largest difference is.
        values: (reference's, other's) entry there.
        not_finite: number of NaN and infinite entries, for each side.
    """

    largest: float
    scale: float
    rms: float
    index: tuple[int, ...]
    values: tuple[float, float]
    not_finite: tuple[int, int]

    @property
    def relative(self) -> float:
        """Largest difference relative to the scale; 0 where both are zero throughout."""
        return self.largest / self.scale if self.scale else self.largest


def measure(shape: tuple[int, ...], pieces: Iterable[tuple[np.ndarray, np.ndarray]]) -> Distance:
    """Measure two tensors of ``shape``, given as pairs of consecutive slices of the first axis.

    Differences are taken in float64. A NaN or infinity on either side counts as infinitely far.
    """
    largest, scale, squares, count, start = -1.0, 0.0, 0.0, 0, 0
    index: tuple[int, ...] = (0,) * len(shape)
    values = (float("nan"), float("nan"))
    not_finite = [0, 0]
    for reference, other in pieces:
        a, b = reference.astype(np.float64), other.astype(np.float64)
        finite = np.isfinite(a), np.isfinite(b)
        bad = ~(finite[0] & finite[1])
        for side in (0, 1):
            not_finite[side] += int((~finite[side]).sum())
        with np.errstate(invalid="ignore", over="ignore"):
            away = abs(a - b)
        away[bad] = np.inf
        if away.size:
            place = np.unravel_index(int(away.argmax()), away.shape)
            if away[place] > largest:
                largest, values = float(away[place]), (float(a[place]), float(b[place]))
                index = tuple(int(i) for i in place)
                if shape:
                    index = (index[0] + start, *index[1:])
            scale = max(
                scale,
                float(abs(a).max(where=finite[0], initial=0.0)),
                float(abs(b).max(where=finite[1], initial=0.0)),
            )
            with np.errstate(over="ignore"):
                squares += float((away**2).sum())
            count += away.size
        start += len(reference) if shape else 0
    rms = float(np.sqrt(squares / count)) if count else 0.0
    return Distance(max(largest, 0.0), scale, rms, index, values, (not_finite[0], not_finite[1]))
