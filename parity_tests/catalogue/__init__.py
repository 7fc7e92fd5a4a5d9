"""A demonstration of every known difference: both frameworks, the naive port and the mended one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shown:
    """What a demonstration found.

    Attributes:
        keras: what Keras computes, float64.
        naive: the port that most people write; None where it raises.
        faithful: the mended port.
    """

    keras: np.ndarray
    naive: np.ndarray | None
    faithful: np.ndarray

    def away(self) -> tuple[float, float]:
        """Distance of the naive port and of the mended one; see :func:`distance`."""
        return distance(self.keras, self.naive), distance(self.keras, self.faithful)


Demonstration = Callable[[str], Shown | None]
"""Keras version to what was found; None for a version that does not have the layer."""


def distance(keras: np.ndarray, port: np.ndarray | None) -> float:
    """Largest difference relative to Keras's largest entry; infinite where one has no number."""
    if port is None or keras.shape != port.shape or not np.isfinite(keras).all():
        return float("inf")
    if not np.isfinite(port).all():
        return float("inf")
    return float(abs(keras - port).max() / (abs(keras).max() or 1.0))
