"""``CONTRIBUTING.md`` is short, names what exists, and its examples match the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parity_tests.support.diffs import EXAMPLES, ROOT, hunks

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
MOST_LINES = 60


def test_it_is_short() -> None:
    """The page has at most 60 lines."""
    assert len(TEXT.splitlines()) <= MOST_LINES


def test_every_path_exists() -> None:
    """Every file and folder that the page names exists."""
    paths = re.findall(r"`((?:parity|keras_impl|torch_impl|parity_tests|docs)/[\w/.]*)`", TEXT)
    links = re.findall(r"\]\(([\w/.]+)\)", TEXT)
    assert len(paths) > 10
    assert [path for path in (*paths, *links) if not (ROOT / path).exists()] == []


def test_every_example_is_linked() -> None:
    """The page links every diff of ``docs/examples/``, one for each kind of addition."""
    linked = re.findall(r"\(docs/examples/(\w+\.diff)\)", TEXT)
    assert sorted(linked) == [path.name for path in EXAMPLES]
    assert len(linked) == 5


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_matches_the_code(example: Path) -> None:
    """Every hunk occurs in the code; those of the new model can be applied to it."""
    changes = hunks(example.read_text())
    assert changes
    for hunk in changes:
        file = ROOT / hunk.path
        expected = hunk.before if example.stem == "add_model" else hunk.after
        assert hunk.after != hunk.before
        assert file.exists() == bool(expected)
        assert not expected or file.read_text().count(expected) == 1, f"{file} lacks\n{expected}"
