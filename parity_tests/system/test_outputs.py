"""Where commands write: whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity.errors import ParityError
from parity.system import destinations

FILES = {"a.json": "one", "b.html": "two"}


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_is_made_or_filled(there: bool, tmp_path: Path) -> None:
    """With all files, readable by everyone, and nothing beside it."""
    folder = tmp_path / "out"
    if there:
        folder.mkdir()
        (folder / "a.json").write_text("old")
    destinations.write_folder(folder, FILES)
    assert {one.name: one.read_text() for one in folder.iterdir()} == FILES
    assert folder.stat().st_mode & 0o755 == 0o755
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_the_folder_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no name, and is there."""
    monkeypatch.chdir(tmp_path)
    destinations.write_folder(Path(), FILES)
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == FILES


def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full at the second file."""
    write = Path.write_text

    def full(path: Path, text: str, *rest: str) -> int:
        if path.name == "b.html":
            raise OSError(28, "No space left on device")
        return write(path, text, *rest)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ParityError, match=r"cannot write .*out: No space left on device"):
        destinations.write_folder(tmp_path / "out", FILES)
    assert not [*tmp_path.iterdir()]
