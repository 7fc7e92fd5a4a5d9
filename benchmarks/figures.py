"""Figures: the median, minimum and maximum of several rounds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

Figure = dict[str, Any]
"""``median``, ``least``, ``most``, and ``rounds``, in the order in which they were measured."""


def figure(values: Iterable[float]) -> Figure:
    """The figure of one or more values."""
    rounds = [float(value) for value in values]
    return {
        "median": statistics.median(rounds),
        "least": min(rounds),
        "most": max(rounds),
        "rounds": rounds,
    }


def ratio(over: Figure, under: Figure) -> Figure:
    """The ratio per round, because a temporary slowdown affects both."""
    return figure(a / b for a, b in zip(over["rounds"], under["rounds"], strict=True))


def text(value: Figure, unit: float = 1.0, digits: int = 2) -> str:
    """The median times ``unit``, with the range in brackets."""
    median, least, most = (
        f"{unit * value[name]:.{digits}f}" for name in ("median", "least", "most")
    )
    return f"{median} ({least} to {most})"
