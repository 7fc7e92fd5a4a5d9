"""Numbers and names as a report writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from parity.rungs import FORWARD
from parity.verdict.result import Check

SHOWN = 4
"""Names that are listed before the others are counted."""


def number(value: float) -> str:
    """A difference or a count in a few characters: ``0``, ``1.2e-15``, ``0.25``, ``inf``, ``3``."""
    if value == 0 or not math.isfinite(value) or isinstance(value, int):
        return "0" if value == 0 else str(value)
    return f"{value:.2g}" if 1e-2 <= abs(value) < 100 else f"{value:.1e}"


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def counted(count: int, noun: str) -> str:
    """A number and its noun: ``1 tensor``, ``2 tensors``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def fix(name: str) -> str:
    """How to port what a cause names, from the catalogue; empty where it has no entry."""
    from parity.reference.catalogue import difference
    from parity.reference.mistakes import mistake

    if entry := difference(name):
        return entry.to_torch
    found = mistake(name)
    return found.fix if found else ""


def tensor(check: Check) -> str:
    """What was compared: the output or the input of a layer, else the tensor's name."""
    layer, _, what = check.tensor.rpartition("/")
    if check.rung in FORWARD and layer and what == "input":
        return f"input of {layer}"
    if check.rung in FORWARD and check.tensor in (check.location, check.keras_layer):
        return f"output of {check.tensor}"
    return check.tensor
