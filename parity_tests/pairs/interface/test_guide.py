"""The guide ``docs/your_own_pair.md`` can be followed: its pair says what it shows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from parity.cli import parser
from parity_tests.cli.test_readme import masked

GUIDE = (Path(__file__).parents[3] / "docs" / "your_own_pair.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
PAIR, MENDED, TRAINING = PYTHON[:3]
FAULTY, SAME = [text for language, text in BLOCKS if language == "text"]


def check(
    text: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Exit code and output of ``parity check my_pair.py``."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (folder / "my_pair.py").write_text(text)
    with pytest.raises(SystemExit) as ended:
        parser.main(["check", "my_pair.py"])
    said = capsys.readouterr()
    assert said.err == ""
    return int(ended.value.code or 0), said.out


def mended() -> str:
    """The pair with the lines that the guide mends it by."""
    text = PAIR
    for line in MENDED.splitlines():
        name = line.split("=")[0].strip()
        if line.strip() != "...":
            text, count = re.subn(rf"(?m)^ +{re.escape(name)} = .*$", line, text, count=1)
            assert count == 1, line
    return text


def test_faulty_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pair of the guide prints what the guide shows, but for the numbers."""
    code, printed = check(PAIR, tmp_path, monkeypatch, capsys)
    assert code == 1
    assert masked(printed) == masked(FAULTY)


def test_mended_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mended as told it is the same; trained as told one cause is left, the one that is named."""
    code, printed = check(mended(), tmp_path, monkeypatch, capsys)
    assert code == 0
    assert masked(printed) == masked(SAME)
    code, printed = check(f"{mended()}\n\n{TRAINING}", tmp_path, monkeypatch, capsys)
    assert code == 1
    assert re.findall(r"parity explain (\S+)", printed) == ["adam.epsilon_placement"]
