"""The table of wrong comparisons and its tests are complete."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from parity_tests.meta.traps import TRAPS

FILES = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))


def test_every_trap_has_its_test() -> None:
    """Every row has a test with a docstring, and every test has a row."""
    found = {}
    for file in set(FILES) - {Path(__file__).stem}:
        module = importlib.import_module(f"{__package__}.{file}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("test_"):
                found[f"{file.removeprefix('test_')}.{name}"] = inspect.getdoc(function) or ""
    assert sorted(TRAPS.values()) == sorted(found)
    assert all(found.values())
