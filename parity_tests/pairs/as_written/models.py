"""A PyTorch model made of a function, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn


class Written(nn.Module):
    """Calls a function of itself and of its inputs; other arguments become its attributes."""

    def __init__(self, function: Callable[..., Any], /, **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs: Any) -> Any:
        """What the function returns."""
        return self.function(self, *inputs)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal random numbers."""
    return np.random.default_rng(seed).normal(size=shape)
