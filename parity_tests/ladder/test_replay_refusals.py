"""A replay or a teacher that does not fit is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity.data import datasets
from parity.errors import ParityError
from parity.ladder import record
from parity.ladder.replay import replay
from parity.verdict.compare import compare
from parity_tests.conftest import Refused
from parity_tests.support import cases, records
from parity_tests.support.records import Pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, records.spec("cnn"))


@pytest.mark.parametrize("same", [True, False], ids=["same", "different"])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"teacher": "0" * 64}, "received a replay record of torch"),
        ({"teacher": ""}, "accepted: what torch makes of"),
        ({"backend": "keras"}, "received a replay record of keras"),
        ({"kind": "ladder"}, "received a ladder record of torch"),
        ({"kind": "training"}, "received a training record of torch"),
        ({"spec": records.spec("cnn", channels=(4,))}, "accepted: what torch makes of"),
    ],
)
def test_a_replay_of_something_else_is_refused(
    pair: Pair, refused: Refused, change: dict[str, Any], named: str, same: bool
) -> None:
    """Of another record, by another framework, of another run, or no replay at all."""
    if not same:
        pair.torch["float64/forward_eval/logits"] += 1
    a, b = pair.write()
    if change.get("kind") in ("ladder", "training"):
        change = {**change, "results": {"float64": {"accuracy": 0.0, "loss": 0.0}}}
    path = pair.write_replay(**change)
    line = refused("parity", "compare", a, b, "--replay", path)
    assert named in line
    assert str(path) in line


@pytest.mark.parametrize("same", [True, False], ids=["same", "different"])
@pytest.mark.parametrize("kind", ["nothing", "file", "folder"])
def test_what_is_no_replay_is_refused(
    pair: Pair, refused: Refused, tmp_path: Path, kind: str, same: bool
) -> None:
    """Nothing, a file, an empty folder: the line names the path, whatever the verdict would be."""
    if not same:
        pair.torch["float64/forward_eval/logits"] += 1
    a, b = pair.write()
    path = tmp_path / kind
    if kind == "file":
        path.write_text("text")
    elif kind == "folder":
        path.mkdir()
    assert str(path) in refused("parity", "compare", a, b, "--replay", path)


@pytest.mark.parametrize("entry", ["keras", "torch"])
@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("nothing", "does not exist"),
        ("replay", "received a replay record of float64"),
        ("float32", "received a ladder record of float32"),
        ("training", "received a training record"),
    ],
)
def test_a_teacher_that_cannot_teach_is_refused(
    refused: Refused, tmp_path: Path, entry: str, kind: str, named: str
) -> None:
    """Before any framework starts, in one line that names the record."""
    dtypes = ("float32",) if kind == "float32" else ("float64",)
    fields = {"kind": kind} if kind in ("replay", "training") else {}
    header = records.header("keras", records.spec(), dtypes, **fields)
    if kind != "nothing":
        record.write(tmp_path / "teacher", header, records.tensors(header))
    line = refused(entry, "replay", tmp_path / "teacher", "--out", tmp_path / "new")
    assert named in line
    assert str(tmp_path / "teacher") in line


def test_a_teacher_of_other_data_is_refused(pair: Pair, refused: Refused, tmp_path: Path) -> None:
    """A record of data that are not there, or not the same, is named with its checksum."""
    a, _ = pair.write()
    assert "made_up" in refused("torch", "replay", a, "--out", tmp_path / "new")
    file = a / record.HEADER
    content = json.loads(file.read_text())
    content["spec"]["data"]["name"] = "digits"
    file.write_text(json.dumps(content))
    assert "000000000000" in refused("torch", "replay", a, "--out", tmp_path / "new")


@pytest.mark.parametrize("flags", ["--data-dir x", "--download"])
def test_the_full_set_for_a_record_of_the_embedded_one(
    refused: Refused, tmp_path: Path, flags: str
) -> None:
    """The teacher's own data are taken, so these flags do nothing and are refused."""
    path = digits_teacher(tmp_path)
    line = refused("torch", "replay", path, "--out", tmp_path / "new", *flags.split())
    assert f"{flags}: does not apply" in line


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_nothing_is_replaced_by_a_replay(refused: Refused, tmp_path: Path, kind: str) -> None:
    """What stands at --out stays, and is refused before the teacher is read."""
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    elif kind == "folder":
        out.mkdir()
    else:
        out.symlink_to("nowhere")
    line = refused("torch", "replay", tmp_path / "teacher", "--out", out)
    assert "exists already" in line


def digits_teacher(folder: Path, change: Mapping[str, np.ndarray | None] | None = None) -> Path:
    """A made-up record of the digits; ``change`` replaces tensors, or leaves them out."""
    spec = cases.spec_of("softmax", "regression-logits")
    assert spec.data.sha256 == datasets.load("digits", size="embedded").sha256
    header = records.header("keras", spec, ("float64",))
    tensors = {**records.tensors(header), **(change or {})}
    record.write(
        folder / "teacher", header, {name: x for name, x in tensors.items() if x is not None}
    )
    return folder / "teacher"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("float64/forward_eval/input", None),
        ("float64/forward_train/logits", None),
        ("float64/gradients/logits/output", None),
        ("float64/forward_eval/logits", np.ones((32, 9))),
        ("float64/forward_eval/logits", np.ones((31, 10))),
        ("float64/forward_eval/logits", np.ones((32, 10), np.float32)),
    ],
)
def test_a_teacher_that_lacks_something_is_refused(
    tmp_path: Path, torch_backend: Backend, name: str, value: np.ndarray | None
) -> None:
    """A tensor that is missing, or of another form than the spec's, is named."""
    spec = cases.spec_of("softmax", "regression-logits")
    header = records.header("keras", spec, ("float64",))
    whole = {
        key: np.resize(x, (32, *x.shape[1:])) if "/forward" in key or key.endswith("/output") else x
        for key, x in records.tensors(header).items()
    }
    train, _ = cases.splits_of(spec)
    with record.read(digits_teacher(tmp_path / "good", whole)) as teacher:
        assert replay(torch_backend, teacher, train).tensors
    with (
        record.read(digits_teacher(tmp_path / "bad", {**whole, name: value})) as teacher,
        pytest.raises(ParityError, match=name),
    ):
        replay(torch_backend, teacher, train)


@pytest.mark.parametrize("kind", ["replay", "ladder"])
def test_a_replay_is_no_side_of_a_comparison(pair: Pair, tmp_path: Path, kind: str) -> None:
    """A replay is compared with its teacher by ``--replay`` alone."""
    a, _ = pair.write()
    path = pair.write_replay()
    other = path if kind == "replay" else tmp_path / "torch"
    with record.read(a) as x, record.read(other) as y:
        if kind == "ladder":
            assert compare(x, y).same
            return
        with pytest.raises(ParityError, match="received 'replay', accepted: 'ladder'"):
            compare(x, y)
