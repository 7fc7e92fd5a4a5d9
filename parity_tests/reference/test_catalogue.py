"""The catalogue of known differences: every entry is shown on both frameworks, and mended."""

from __future__ import annotations

import importlib.util
import math
import re
from pathlib import Path

import pytest

from parity.adapters.backend import Backend
from parity.constants import FLAVOURS
from parity.numerics.tolerance import FLOAT64
from parity.reference import catalogue
from parity.reference.difference import Difference
from parity.rungs import RUNGS
from parity_tests.catalogue import Shown
from parity_tests.catalogue.table import DEMONSTRATIONS

PAGE = Path(__file__).parents[2] / "docs" / "catalogue.md"

CLAIM = 2.0
"""A size has one digit: between a half and double of what is measured."""


def check(entry: Difference, shown: Shown) -> None:
    """The naive port stands as far away as the entry claims, the mended one not at all."""
    naive, mended = shown.away()
    assert mended <= FLOAT64["forward_eval"].limit, f"mended: {mended:.1e} is left"
    assert naive > 10 * FLOAT64["forward_eval"].limit, f"naive: {naive:.1e} is no difference"
    assert naive == entry.size or entry.size / CLAIM <= naive <= entry.size * CLAIM, (
        f"naive: {naive:.1e}, not {entry.size:.1e} as the entry says"
    )


@pytest.mark.flavour
@pytest.mark.parametrize("name", catalogue.CATALOGUE)
def test_difference_shows_and_is_mended(name: str, flavour: str, keras_backend: Backend) -> None:
    """Each entry's naive port differs by its size, and its rule leaves rounding alone."""
    entry = catalogue.CATALOGUE[name]
    assert name in DEMONSTRATIONS, f"{name}: no demonstration in parity_tests/catalogue/"
    shown = DEMONSTRATIONS[name](flavour)
    if flavour in entry.flavours:
        assert shown is not None
        check(entry, shown)
    elif shown is not None:
        assert shown.away()[0] <= FLOAT64["forward_eval"].limit, "this Keras has it as well"


def test_every_demonstration_has_its_entry() -> None:
    """Nothing is shown that the catalogue does not tell."""
    assert sorted(DEMONSTRATIONS) == sorted(catalogue.CATALOGUE)


@pytest.mark.parametrize("entry", catalogue.CATALOGUE.values(), ids=lambda entry: entry.id)
def test_entry_is_whole(entry: Difference) -> None:
    """Ids have two parts, titles fit a line of a table, and no field is empty."""
    assert re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", entry.id)
    assert len(entry.title) <= 80
    assert not entry.title.endswith(".")
    assert all((entry.what, entry.why, entry.to_torch, entry.measured, entry.source))
    assert entry.rung in RUNGS
    assert entry.size > 0
    assert not math.isnan(entry.size)
    assert set(entry.flavours) <= set(FLAVOURS)


def test_ids_are_unique() -> None:
    """No entry hides another."""
    assert len(catalogue.CATALOGUE) == sum(len(module.DIFFERENCES) for module in catalogue.MODULES)


def test_alias_finds_its_entry() -> None:
    """An alias has the form of an id and belongs to one entry only."""
    aliases = [alias for one in catalogue.CATALOGUE.values() for alias in one.aliases]
    assert "lstm.batch_first" in aliases
    assert len({*aliases, *catalogue.CATALOGUE}) == len(aliases) + len(catalogue.CATALOGUE)
    for alias in aliases:
        assert re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", alias)
        assert alias in getattr(catalogue.entry(alias), "aliases", ())


def test_page_is_up_to_date() -> None:
    """``docs/catalogue.md`` is what the entries say."""
    assert PAGE.read_text() == catalogue.page(), (
        "run python -m parity.reference.catalogue > docs/catalogue.md"
    )


PYTHON_SOURCES = [
    pytest.param(*found.groups(), id=entry.id)
    for entry in catalogue.CATALOGUE.values()
    if (found := re.fullmatch(r"(\w+)(/[\w/]+(?:\.py|/))(?: \(([\w.]+)\))?", entry.source))
]


@pytest.mark.parametrize(("package", "path", "name"), PYTHON_SOURCES)
def test_source_exists(package: str, path: str, name: str | None) -> None:
    """The file of a framework that an entry names is there, and holds what it names in it."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / path.lstrip("/")
    assert file.exists(), file
    for part in name.split(".") if name else ():
        assert re.search(rf"\b{part}\b", file.read_text()), part


def test_most_sources_are_looked_up() -> None:
    """The others are kernels in C++, which no wheel holds, and pages of the documentation."""
    others = [entry for entry in catalogue.CATALOGUE.values() if ".py" not in entry.source]
    named = [entry for entry in others if not entry.source.endswith("/")]
    assert all(entry.source.startswith(("tensorflow/core/", "tensorflow.org/")) for entry in named)
    assert len(PYTHON_SOURCES) + len(named) == len(catalogue.CATALOGUE)
