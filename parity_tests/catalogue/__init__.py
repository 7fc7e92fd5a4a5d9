"""Demonstrations of every known difference: Keras, the naive port and the corrected port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shown:
    """The result of a demonstration.

    Attributes:
        keras: what Keras computes, float64.
        naive: the port that most people write; None where it raises.
        faithful: the corrected port.
    """

    keras: np.ndarray
    naive: np.ndarray | None
    faithful: np.ndarray

    def away(self) -> tuple[float, float]:
        """Relative error of the naive and of the corrected port; see :func:`distance`."""
        return distance(self.keras, self.naive), distance(self.keras, self.faithful)


Demonstration = Callable[[str], Shown | None]
"""Maps a Keras version to the result; None for a version without the layer."""


def distance(keras: np.ndarray, port: np.ndarray | None) -> float:
    """Largest difference relative to Keras's largest entry; infinite if an entry is not finite."""
    if port is None or keras.shape != port.shape or not np.isfinite(keras).all():
        return float("inf")
    if not np.isfinite(port).all():
        return float("inf")
    return float(abs(keras - port).max() / (abs(keras).max() or 1.0))
