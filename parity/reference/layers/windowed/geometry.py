"""Padding and sliding windows for convolutions and pooling."""

from __future__ import annotations

import math

import numpy as np

Sides = tuple[tuple[int, int], ...]
"""(before, after) for each spatial axis."""


def same(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """TensorFlow's 'same' padding (before, after) of an axis of ``size``.

    With total = max((⌈n/s⌉ − 1)·s + (k − 1)·d + 1 − n, 0), total // 2 is added before and the
    remainder after. Source:
    TensorFlow's "Notes on padding" in the ``tf.nn`` documentation.
    """
    total = max((math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def padded(
    x: np.ndarray,
    padding: str | Sides,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    fill: float = 0.0,
) -> np.ndarray:
    """X (N, …, C) padded along its spatial axes.

    Args:
        x: with len(kernel) axes between N and C.
        padding: 'valid', 'same', 'causal' (only before), or (before, after) for each axis.
        kernel: size of the window.
        strides: strides of the window.
        dilation: dilation of the window.
        fill: value of the padding.
    """
    around = [(0, 0)] * len(kernel)
    if not isinstance(padding, str):
        around = list(padding)
    elif padding == "same":
        sizes = x.shape[1:-1]
        around = [same(*axis) for axis in zip(sizes, kernel, strides, dilation, strict=True)]
    elif padding == "causal":
        around = [((k - 1) * d, 0) for k, d in zip(kernel, dilation, strict=True)]
    return np.pad(x, [(0, 0), *around, (0, 0)], constant_values=fill)


def windows(
    x: np.ndarray, kernel: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...]
) -> np.ndarray:
    """Every window of x: (N, *places, C, *kernel), a view."""
    axes = tuple(range(1, 1 + len(kernel)))
    spans = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    found = np.lib.stride_tricks.sliding_window_view(x, spans, axis=axes)
    steps = tuple(slice(None, None, stride) for stride in strides)
    within = tuple(slice(None, None, one) for one in dilation)
    return np.asarray(found[(slice(None), *steps, slice(None), *within)])
