"""Shared random draws: the numbers that both models use in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parity.numerics.random import stream


@dataclass(frozen=True)
class Mask:
    """Shapes of a dropout's input and of the random numbers that it draws.

    Attributes:
        shape: canonical shape of the input.
        drawn: shape of the numbers; an axis is 1 if its entries share a number.
    """

    shape: tuple[int, ...]
    drawn: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Shape of the numbers without axes of size 1; the first axis always stays.

        With a single example no axis is removed.
        """
        several = self.drawn[:1] != (1,)
        kept = tuple(size for size in self.drawn[1:] if size != 1 or not several)
        return self.drawn[:1] + kept

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """Return the numbers to use, from an array with a number for every entry of the input."""
        return numbers[tuple(slice(size) for size in self.drawn)]


def uniform(seed: int, name: str, step: int, shape: Sequence[int]) -> np.ndarray:
    """Return the uniform numbers of a random call at a step: float32 in [0, 1), canonical shape.

    An entry is kept if its number is at least the layer's own rate, so different rates are visible.
    """
    return stream(seed, f"mask/{name}/{step}").random(tuple(shape), dtype=np.float32)


def normal(seed: int, name: str, step: int, shape: Sequence[int]) -> np.ndarray:
    """Return standard normal numbers, float32; the same for models in float32 and float64."""
    return stream(seed, f"noise/{name}/{step}").standard_normal(tuple(shape), dtype=np.float32)
