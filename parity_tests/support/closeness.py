"""Arrays to try layers with, and how near two results of them must be."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.numerics.tolerance import FLOAT64

DTYPES = ["float64", "float32"]
FLOAT32_ULPS = 8
"""Of the largest entry: sums of up to 60 squares in another order."""


def assert_close(found: Any, expected: Any, scale: float | None = None) -> None:
    """Relative to the largest entry, or a larger scale: float64 by the table, float32 in ulp."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    scale = found.dtype.type(scale or abs(expected).max() or 1)
    away = abs(found - expected).max()
    if found.dtype == np.float64:
        assert away <= FLOAT64["forward_eval"].limit * scale
    else:
        assert away <= FLOAT32_ULPS * np.spacing(scale), f"{away / np.spacing(scale):.0f} ulp"


def values(shape: tuple[int, ...], dtype: str = "float64") -> np.ndarray:
    """Normal numbers with a zero, ±100 and a tiny one among them."""
    found = np.random.default_rng(0).standard_normal(shape)
    found.flat[:4] = 0.0, 100.0, -100.0, 1e-30
    return found.astype(dtype)
