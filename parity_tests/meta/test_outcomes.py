"""The table of injected faults counts misses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parity_tests.meta import outcomes
from parity_tests.meta.faults import FAULTS
from parity_tests.pairs import faults

HIT = {"name": "b", "detected": True, "rung": True, "layer": True}
MISSES = [
    ({"detected": False, "rung": False, "layer": False}, [1, 0, 0, 0]),
    ({"detected": True, "rung": False, "layer": True}, [1, 1, 0, 1]),
    ({"detected": True, "rung": True, "layer": False}, [1, 1, 1, 0]),
]


@pytest.mark.parametrize(("what", "figures"), MISSES)
def test_a_miss_is_counted_as_one(what: dict[str, bool], figures: list[int]) -> None:
    """A fault that is not found, or in the wrong place, is missing from its column and the sum."""
    rows = outcomes.by_fault([HIT, {"name": "a", **what}, HIT])
    assert rows == {"a": figures, "b": [2, 2, 2, 2]}
    sums = dict(zip(outcomes.COLUMNS, [2 + figure for figure in figures], strict=True))
    assert outcomes.totals(rows) == {"faults": 2, **sums}


def test_the_table_fits_80_columns() -> None:
    """The table of all faults is at most 80 columns wide."""
    rows = outcomes.by_fault({**HIT, "name": fault.name} for fault in FAULTS)
    lines = outcomes.table(rows)
    assert len(lines) == len({fault.name for fault in FAULTS}) + 2
    assert max(map(len, lines)) <= 80


def test_the_table_of_pairs_fits_too() -> None:
    """It counts causes that can be named, those that were named, and wrong ones."""
    what = {**HIT, "nameable": True, "named": False, "wrong": True}
    names = [fault.name for fault in faults.FAULTS]
    rows = outcomes.by_fault(({**what, "name": name} for name in names), outcomes.PAIR_COLUMNS)
    lines = outcomes.table(rows, outcomes.PAIR_COLUMNS)
    assert max(map(len, lines)) <= 80
    sums = [len(names)] * 4 + [0, len(names)]
    expected = {"faults": len(names), **dict(zip(outcomes.PAIR_COLUMNS, sums, strict=True))}
    assert outcomes.totals(rows, outcomes.PAIR_COLUMNS) == expected


def test_totals_are_written(tmp_path: Path) -> None:
    """The file contains the sums and the seconds."""
    outcomes.write(tmp_path / "o.json", outcomes.by_fault([HIT]), 1.5)
    found = json.loads((tmp_path / "o.json").read_text())
    assert found == {"faults": 1, **dict.fromkeys(outcomes.COLUMNS, 1), "seconds": 1.5}


def test_without_outcomes_there_is_nothing_to_sum(tmp_path: Path) -> None:
    """The sums of an empty run are zero."""
    assert outcomes.totals({}) == {"faults": 0, **dict.fromkeys(outcomes.COLUMNS, 0)}
