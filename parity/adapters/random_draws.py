"""Random numbers that both sides draw in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parity.numerics.random import stream


@dataclass(frozen=True)
class Mask:
    """Shapes of what a dropout takes and of the numbers that it draws.

    Attributes:
        shape: of the tensor, canonical.
        drawn: of the numbers; 1 where entries share one.
    """

    shape: tuple[int, ...]
    drawn: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of the numbers, without those of 1 but that of the examples; of one example, with all."""
        several = self.drawn[:1] != (1,)
        kept = tuple(size for size in self.drawn[1:] if size != 1 or not several)
        return self.drawn[:1] + kept

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """Its own of numbers for every entry."""
        return numbers[tuple(slice(size) for size in self.drawn)]


def uniform(seed: int, name: str, step: int, shape: Sequence[int]) -> np.ndarray:
    """What a random call draws at a step: float32 in [0, 1) of a canonical shape.

    An entry is kept where it is at least the layer's own rate, so that rates that differ show.
    """
    return stream(seed, f"mask/{name}/{step}").random(tuple(shape), dtype=np.float32)


def normal(seed: int, name: str, step: int, shape: Sequence[int]) -> np.ndarray:
    """Likewise standard normal numbers, each the same in float32 and float64."""
    return stream(seed, f"noise/{name}/{step}").standard_normal(tuple(shape), dtype=np.float32)
