"""``parity explain``: the catalogue on the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parity.cli import parser
from parity.errors import ParityError
from parity.reference import catalogue
from parity.reference.mistakes import MISTAKES
from parity_tests.conftest import Refused

NAMED = (
    "batch_norm.epsilon",
    "batch_norm.momentum",
    "conv.same_padding",
    "flatten.order",
    "gru.reset_after",
    "lstm.forget_bias",
    "adam.epsilon_placement",
    "loss.from_logits",
    "l2.factor",
)
"""Ids that the design promises."""


def explain(capsys: pytest.CaptureFixture[str], *flags: object) -> str:
    with pytest.raises(SystemExit) as ended:
        parser.main(["explain", *map(str, flags)])
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    return said.out


@pytest.mark.parametrize("name", NAMED)
def test_promised_ids_exist(name: str) -> None:
    """What the design names is there."""
    assert catalogue.entry(name).id == name


def test_list_names_every_difference(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an id all are listed, below their kind, within 80 columns."""
    lines = explain(capsys).splitlines()
    assert max(map(len, lines)) <= 80
    words = [word for line in lines for word in line.split()[:1]]
    assert [word for word in words if word in catalogue.CATALOGUE] == list(catalogue.CATALOGUE)
    assert {*MISTAKES} <= {*words}
    assert {kind.replace("_", " ") for kind in catalogue.by_kind()} <= {
        line.strip() for line in lines
    }


@pytest.mark.parametrize("name", catalogue.CATALOGUE)
def test_one_is_told_in_full(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every section of an entry is printed whole, within 80 columns, brackets included."""
    text = explain(capsys, name)
    assert max(map(len, text.splitlines())) <= 80
    told = "".join(text.split())
    entry = catalogue.CATALOGUE[name]
    for part in (entry.title, *(word for section in entry.sections() for word in section)):
        assert "".join(part.split()) in told


@pytest.mark.parametrize("name", ["structure.order", "conv.strides", "dense.bias", "sgd.nesterov"])
def test_a_mistake_is_told_in_full(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What a check names that is no difference between the frameworks, by its own id."""
    told = "".join(explain(capsys, name).split())
    entry = catalogue.entry(name)
    assert entry.id == name
    for part in (name, entry.title, *(word for section in entry.sections() for word in section)):
        assert "".join(part.split()) in told


def test_json_holds_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All fields of one, or of all; an infinite size is text, as JSON lacks it."""
    file = tmp_path / "entries.json"
    explain(capsys, "batch_norm.batch_of_one", "--json", file)
    (found,) = json.loads(file.read_text())
    assert found["size"] == "inf"
    assert found["flavours"] == ["tf_keras", "keras3"]
    explain(capsys, "--json", file)
    assert [one["id"] for one in json.loads(file.read_text())] == [
        *catalogue.CATALOGUE,
        *catalogue.MISTAKES,
    ]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("batch_norm.epsilom", "batch_norm.epsilon"),
        ("batch_norm", "batch_norm.momentum"),
        ("reset_after", "gru.reset_after"),
        ("structure.ordr", "structure.order"),
        ("qqqq", "an id that"),
    ],
)
def test_unknown_id_names_close_ones(typed: str, meant: str, refused: Refused) -> None:
    """A mistyped id is one line that names what was probably meant, exit code 2."""
    said = refused("parity", f"explain {typed}")
    assert repr(typed) in said
    assert meant in said
    with pytest.raises(ParityError, match=meant):
        catalogue.entry(typed)
