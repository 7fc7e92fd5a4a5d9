"""TensorFlow's float32 arithmetic on single numbers, to the bit.

Sums, products and quotients are PyTorch's: IEEE 754 leaves no choice. TensorFlow takes powers,
cosines and logarithms of single numbers from the C library, and its kernels give zero for numbers
closer to it than :data:`SMALLEST`.
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST = 2.0**-126
"""float32's smallest normal number."""


def float32(value: float) -> Tensor:
    """A single number on the CPU, wherever new tensors go by default."""
    return torch.tensor(value, dtype=torch.float32, device="cpu")


def flushed(value: Tensor) -> Tensor:
    """With zero for subnormal numbers."""
    return torch.where(value.abs() < SMALLEST, 0.0, value)


def power(base: Tensor, exponent: Tensor) -> Tensor:
    """The base to the exponent."""
    return flushed(torch.pow(base, exponent))


def cosine(angle: Tensor) -> Tensor:
    """Of an angle in radians; ``torch.cos`` is an ulp away for one number in twenty."""
    return torch.polar(torch.ones_like(angle), angle).real


def logarithm(value: Tensor) -> Tensor:
    """The natural one; ``torch.log`` is an ulp away for one number in a thousand."""
    return torch.special.xlogy(torch.ones_like(value), value)
