"""The figures of a soak: on the terminal, and as data."""

from __future__ import annotations

import collections
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.soak.processes import Soak
from parity.constants import DTYPES
from parity.rungs import RUNGS

WIDTH = 80
NAMED = 20
"""Pairs at most that the terminal names; the JSON file names all."""


def as_data(soak: Soak, wall: float, faults: dict[str, Any]) -> dict[str, Any]:
    """All figures, for JSON."""
    seconds = [answer["seconds"] for _, answer in soak.judged]
    return {
        "pairs": len(soak.asked),
        "judged": len(soak.judged),
        "counts": soak.counts(),
        "different": [
            {"pair": name, "dtype": dtype, "failed": texts} for name, dtype, texts in soak.alarms
        ],
        "not_run": [{"pair": name, "reason": reason} for name, reason in soak.not_run],
        "largest_float64_distance": soak.largest("float64"),
        "largest_float32_share_of_allowed": soak.largest("float32"),
        "seconds_per_pair": sum(seconds) / len(seconds) if seconds else None,
        "injected_faults": faults,
        "wall_seconds": wall,
    }


def show(soak: Soak, wall: float, faults: dict[str, Any]) -> None:
    """Print the figures; also those of injected faults, if there are any."""
    print(f"{'':12}{'threads':>8}{'pairs':>8}   DIFFERENT:" + "".join(f"{d:>10}" for d in DTYPES))
    for entry in soak.counts():
        line = f"{entry['flavour']:12}{entry['threads']:8}{entry['pairs']:8}{'':13}"
        print(line + "".join(f"{entry['different'][dtype]:10}" for dtype in DTYPES))
    exact, ratios = soak.largest("float64"), soak.largest("float32")
    print("\nLargest float64 distance, and float32's largest share of what is allowed")
    for rung, title in RUNGS.items():
        print(f"  {title:18}{exact[rung][0]:10.1e}{ratios[rung][0]:10.2f}")
        for dtype, found in (("float64", exact[rung]), ("float32", ratios[rung])):
            if found[0]:
                _say(f"{dtype}: {found[1]}", "      ")
    if soak.alarms:
        print("\nCalled DIFFERENT, with the first divergence")
        for name, _, texts in soak.alarms[:NAMED]:
            _say(f"{name}: {texts[0]} ({len(texts)} failed)")
        _more(len(soak.alarms))
    if soak.not_run:
        print("\nNot run")
        for name, reason in soak.not_run[:NAMED]:
            _say(f"{name}: {reason}")
        _more(len(soak.not_run))
    if faults:
        print(
            f"\ninjected faults: {faults['total']} ({faults['faults']} different ones), "
            f"{faults['detected']} detected,\n  {faults['right rung']} at the right rung, "
            f"{faults['right layer']} in the right layer"
        )
    print(
        f"{'' if faults else chr(10)}clean pairs: {len(soak.judged)} of {len(soak.asked)} judged "
        f"in both dtypes, {len(soak.alarms)} false alarms"
    )
    print(f"wall time: {(wall + faults.get('seconds', 0)) / 60:.0f} min")


def fault_totals(files: Sequence[Path]) -> dict[str, Any]:
    """What ``pytest --faults-out`` wrote, added up; different faults are the same in every file."""
    found: collections.Counter[str] = collections.Counter()
    for file in files:
        figures = json.loads(file.read_text("utf-8"))
        found.update(figures)
        found["faults"] = figures["faults"]
    return dict(found)


def _say(text: str, indent: str = "  ") -> None:
    inner = indent + "  "
    wrapped = textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=inner, break_on_hyphens=False
    )
    print(wrapped)


def _more(count: int) -> None:
    if count > NAMED:
        print(f"  and {count - NAMED} more; --out names all")
