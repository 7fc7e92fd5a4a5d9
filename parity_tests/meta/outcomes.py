"""Results of the injected faults: a table at the end of the test run, and totals for a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

COLUMNS = ("total", "detected", "right rung", "right layer")

PAIR_COLUMNS = ("found", "rung", "layer", "nameable", "named", "wrong")
"""For users' pairs: whether a cause can be named, it was, or a wrong one was."""

KEYS = {"right rung": "rung", "right layer": "layer", "found": "detected"}
"""Column to the outcome's key, where they differ."""

Outcome = dict[str, Any]
"""The ``name`` of a fault, and whether it was ``detected``, at its ``rung``, in its ``layer``."""


def by_fault(outcomes: Iterable[Outcome], columns: Sequence[str] = COLUMNS) -> dict[str, list[int]]:
    """Fault to the figures of the columns: the number of models in which each was right."""
    found: dict[str, list[int]] = {}
    for outcome in outcomes:
        right = [column == "total" or outcome[KEYS.get(column, column)] for column in columns]
        row = found.setdefault(outcome["name"], [0] * len(columns))
        found[outcome["name"]] = [count + flag for count, flag in zip(row, right, strict=True)]
    return dict(sorted(found.items()))


def totals(rows: dict[str, list[int]], columns: Sequence[str] = COLUMNS) -> dict[str, int]:
    """The sums of the columns, and the number of different faults."""
    sums = [sum(column) for column in zip(*rows.values(), strict=True)] or [0] * len(columns)
    return {"faults": len(rows), **dict(zip(columns, sums, strict=True))}


def table(rows: dict[str, list[int]], columns: Sequence[str] = COLUMNS) -> list[str]:
    """Lines of at most 80 columns: one for each fault, then the sums."""
    width = max(map(len, rows), default=0)
    head = f"{'fault':{width}}" + "".join(f"  {title}" for title in columns)
    sums = totals(rows, columns)
    last = f"{len(rows)} faults"
    return [
        head,
        *(f"{name:{width}}{_columns(row, columns)}" for name, row in rows.items()),
        f"{last:{width}}{_columns([sums[title] for title in columns], columns)}",
    ]


def _columns(figures: list[int], columns: Sequence[str]) -> str:
    return "".join(f"  {x:{len(title)}}" for x, title in zip(figures, columns, strict=True))


def write(path: Path, rows: dict[str, list[int]], seconds: float) -> None:
    """Write the sums and the time that it took."""
    path.write_text(json.dumps({**totals(rows), "seconds": seconds}) + "\n", "utf-8")
