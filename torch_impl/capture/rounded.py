"""PyTorch's functions with their constants rounded to float32, as TensorFlow has them.

TensorFlow rounds some Python floats to float32 even where it computes in float64. A port that has
such a constant in full is no other model: in float32 the two are the same. So in float64 both sides
are given the rounded one.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from parity.constants import as_float32


class Rounded(TorchFunctionMode):
    """While it is entered, functions compute with rounded constants."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        replaced = FUNCTIONS.get(getattr(func, "__name__", ""), func)
        return replaced(*args, **(kwargs or {}))


def _gelu(input: Tensor, approximate: str = "none") -> Tensor:
    if input.dtype != torch.float64:
        return torch._C._nn.gelu(input, approximate=approximate)
    if approximate == "tanh":
        inner = input + as_float32(0.044715) * input**3
        return 0.5 * input * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * inner))
    return 0.5 * input * torch.erfc(-input * as_float32(math.sqrt(0.5)))


def _leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    found = torch._C._nn.leaky_relu(input, as_float32(negative_slope))
    return input.copy_(found) if inplace else found


FUNCTIONS = {"gelu": _gelu, "leaky_relu": _leaky_relu}
