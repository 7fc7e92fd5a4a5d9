"""The table of planted faults counts misses, and a miss fails the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parity_tests.meta import outcomes
from parity_tests.meta.faults import FAULTS
from parity_tests.pairs.faults.planted import ROWS

HIT = {"name": "b", "detected": True, "rung": True, "layer": True}
MISSES = [
    ({"detected": False, "rung": False, "layer": False}, [1, 0, 0, 0]),
    ({"detected": True, "rung": False, "layer": True}, [1, 1, 0, 1]),
    ({"detected": True, "rung": True, "layer": False}, [1, 1, 1, 0]),
]


@pytest.mark.parametrize(("what", "figures"), MISSES)
def test_a_miss_is_counted_as_one(what: dict[str, bool], figures: list[int]) -> None:
    """What was planted and not found, or found elsewhere, lacks in its column and in the sum."""
    rows = outcomes.by_fault([HIT, {"name": "a", **what}, HIT])
    assert rows == {"a": figures, "b": [2, 2, 2, 2]}
    sums = dict(zip(outcomes.COLUMNS, [2 + figure for figure in figures], strict=True))
    assert outcomes.totals(rows) == {"faults": 2, **sums}


def test_the_table_fits_80_columns() -> None:
    """With every fault's name in it."""
    rows = outcomes.by_fault({**HIT, "name": fault.name} for fault in FAULTS)
    lines = outcomes.table(rows)
    assert len(lines) == len(FAULTS) + 2
    assert max(map(len, lines)) <= 80


def test_the_table_of_pairs_fits_too() -> None:
    """It counts causes that can be named, those that were, and wrong ones."""
    what = {**HIT, "nameable": True, "named": False, "wrong": True}
    rows = outcomes.by_fault(({**what, "name": row.name} for row in ROWS), outcomes.PAIR_COLUMNS)
    lines = outcomes.table(rows, outcomes.PAIR_COLUMNS)
    assert max(map(len, lines)) <= 80
    sums = [len(ROWS)] * 4 + [0, len(ROWS)]
    wanted = {"faults": len(ROWS), **dict(zip(outcomes.PAIR_COLUMNS, sums, strict=True))}
    assert outcomes.totals(rows, outcomes.PAIR_COLUMNS) == wanted


def test_totals_are_written(tmp_path: Path) -> None:
    """The file holds the sums and the seconds."""
    outcomes.write(tmp_path / "o.json", outcomes.by_fault([HIT]), 1.5)
    found = json.loads((tmp_path / "o.json").read_text())
    assert found == {"faults": 1, **dict.fromkeys(outcomes.COLUMNS, 1), "seconds": 1.5}


def test_without_outcomes_there_is_nothing_to_sum(tmp_path: Path) -> None:
    """An empty run is no success: its sums are zero."""
    assert outcomes.totals({}) == {"faults": 0, **dict.fromkeys(outcomes.COLUMNS, 0)}
