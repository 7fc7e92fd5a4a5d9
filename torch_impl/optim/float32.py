"""Reproduce TensorFlow's float32 arithmetic on single numbers, bit for bit.

Sums, products and quotients are PyTorch's own, because IEEE 754 defines them exactly. TensorFlow
uses the C library for powers, cosines and logarithms of single numbers, and its kernels return zero
for results below :data:`SMALLEST` in absolute value.
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST = 2.0**-126
"""float32's smallest normal number."""


def float32(value: float) -> Tensor:
    """A float32 scalar on the CPU, whatever the default device is."""
    return torch.tensor(value, dtype=torch.float32, device="cpu")


def flushed(value: Tensor) -> Tensor:
    """The value with subnormal numbers replaced by zero."""
    return torch.where(value.abs() < SMALLEST, 0.0, value)


def power(base: Tensor, exponent: Tensor) -> Tensor:
    """The base raised to the exponent."""
    return flushed(torch.pow(base, exponent))


def cosine(angle: Tensor) -> Tensor:
    """Cosine of an angle in radians; ``torch.cos`` differs by an ulp for one number in twenty."""
    return torch.polar(torch.ones_like(angle), angle).real


def logarithm(value: Tensor) -> Tensor:
    """Natural logarithm; ``torch.log`` differs by an ulp for one number in a thousand."""
    return torch.special.xlogy(torch.ones_like(value), value)
