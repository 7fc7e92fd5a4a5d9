"""Types of the update rules, and the moments that several of them keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Values = Mapping[str, Any]
Slots = Mapping[str, np.ndarray]
"""Canonical slot name to tensor; before the first step there are none."""
After = tuple[np.ndarray, dict[str, np.ndarray]]
"""Weight and slots after a step."""


def first_moment(c: Values, g: np.ndarray, s: Slots) -> np.ndarray:
    """M + (g − m)(1 − β₁)."""
    m = s.get("m", 0.0)
    return np.asarray(m + (g - m) * (1 - c["beta_1"]))


def moments(c: Values, g: np.ndarray, s: Slots) -> dict[str, np.ndarray]:
    """The first moment m, and v + (g² − v)(1 − β₂)."""
    v = s.get("v", 0.0)
    return {"m": first_moment(c, g, s), "v": np.asarray(v + (g**2 - v) * (1 - c["beta_2"]))}
