"""A file that is no record, or a damaged one, is refused in one line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from parity.ladder import record
from parity.ladder.record import VERSION, Header
from parity.system import checksums
from parity_tests.record.made_up import edit, refused


@pytest.mark.parametrize("keep", [0, 10, 300, -1])
def test_truncated_tensors_are_refused(made: Path, keep: int) -> None:
    """Tensors cut anywhere do not match their checksum."""
    file = made / record.TENSORS
    file.write_bytes(file.read_bytes()[:keep])
    assert "sha256" in refused(made)


@pytest.mark.parametrize("keep", [0, 10, -5])
def test_truncated_header_is_refused(made: Path, keep: int) -> None:
    """A cut record.json is called damaged."""
    file = made / record.HEADER
    file.write_text(file.read_text()[:keep])
    assert "not JSON" in refused(made)


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"[" * 100_000, b"1" * 10_000], ids=repr)
def test_header_that_is_no_json_is_refused(made: Path, raw: bytes) -> None:
    """Bytes that are no text, endless nesting and endless numbers are called damaged."""
    (made / record.HEADER).write_bytes(raw)
    assert "not JSON" in refused(made)


@pytest.mark.parametrize("content", [None, [], 3, "text", {}, {"format": "other"}])
def test_other_format_is_refused(made: Path, content: Any) -> None:
    """JSON that is no record names the format that is accepted."""
    (made / record.HEADER).write_text(json.dumps(content))
    assert record.FORMAT in refused(made)


OTHERS = [1, VERSION - 1, VERSION + 1, 99, 0, -1, str(VERSION), float(VERSION), True, None]


@pytest.mark.parametrize("version", OTHERS, ids=repr)
def test_other_version_is_refused(made: Path, version: Any) -> None:
    """Any version but this one is refused by name; a newer one says what helps."""
    edit(made, lambda content: content.update(version=version))
    line = refused(made)
    assert f"received {version!r}, accepted: {VERSION}" in line
    assert ("newer" in line) == (version in (VERSION + 1, 99))


@pytest.mark.parametrize("name", [*(entry.name for entry in dataclasses.fields(Header)), "tensors"])
def test_missing_field_is_refused(made: Path, name: str) -> None:
    """Each field must be there."""
    edit(made, lambda content: content.pop(name))
    assert f"no {name}" in refused(made)


@pytest.mark.parametrize("value", [None, True, -1, 0.5, "text", ["text", 1], {"text": [1]}, [[]]])
@pytest.mark.parametrize("name", [*(entry.name for entry in dataclasses.fields(Header)), "tensors"])
def test_field_of_wrong_type_is_refused(made: Path, name: str, value: Any) -> None:
    """No JSON value of another type passes for a field, save text where any text will do."""
    edit(made, lambda content: content.update({name: value}))
    if isinstance(value, str) and name in ("backend", "device", "teacher"):
        with record.read(made):
            return
    assert name in refused(made)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda spec: spec.update(family="transformer"), "transformer"),
        (lambda spec: spec.update(family=["softmax"]), "damaged"),
        (lambda spec: spec.pop("model"), "not a spec"),
        (lambda spec: spec["model"].update(extra=1), "extra"),
        (lambda spec: spec["model"].update(hidden=[0]), "hidden"),
        (lambda spec: spec["model"].update(hidden=None), "hidden"),
        (lambda spec: spec["model"].update(input_shape=3), "input_shape"),
        (lambda spec: spec["model"].pop("classes"), "classes"),
        (lambda spec: spec["optimizer"].update(learning_rate="fast"), "learning_rate"),
        (lambda spec: spec["optimizer"].update(learning_rate=1e300), "damaged"),
        (lambda spec: spec["optimizer"].update(learning_rate=10**400), "damaged"),
        (lambda spec: spec["optimizer"].update(learning_rate="nan"), "learning_rate"),
        (lambda spec: spec["training"].update(seed=-1), "seed"),
        (lambda spec: spec["training"].update(batch_size=0), "batch_size"),
        (lambda spec: spec["data"].update(size="half"), "size"),
        (lambda spec: spec.update(data=[]), "data"),
    ],
)
def test_edited_spec_is_refused(
    made: Path, change: Callable[[dict[str, Any]], None], named: str
) -> None:
    """A spec that no run can have is refused, and the line says where."""
    edit(made, lambda content: change(content["spec"]))
    assert named in refused(made)


@pytest.mark.parametrize(
    "tensors",
    [{"odd": np.ones(1)}, {"float64/loss": np.ones(1)}, {"float32/loss/loss": np.ones(1)}],
    ids=["no rung", "two parts", "dtype not recorded"],
)
def test_tensor_of_no_rung_is_refused(made: Path, tensors: dict[str, np.ndarray]) -> None:
    """A tensor whose name no rung gives is refused, even under a right checksum."""
    save_file(tensors, made / record.TENSORS)
    found = checksums.sha256([made / record.TENSORS])[0]
    edit(made, lambda content: content["tensors"].update(sha256=found))
    assert "belongs to no rung" in refused(made)


def test_tensors_of_another_format_are_refused(made: Path) -> None:
    """Bytes that are no safetensors are refused, even under a right checksum."""
    (made / record.TENSORS).write_bytes(b"PK\x03\x04" + bytes(100))
    found = checksums.sha256([made / record.TENSORS])[0]
    edit(made, lambda content: content["tensors"].update(sha256=found))
    assert record.TENSORS in refused(made)


def test_missing_tensors_are_refused(made: Path) -> None:
    """A record without its tensors is damaged."""
    (made / record.TENSORS).unlink()
    assert "is missing" in refused(made)


@pytest.mark.parametrize("kind", ["nothing", "file", "empty folder"])
def test_what_is_no_record_is_refused(tmp_path: Path, kind: str) -> None:
    """A path that is not there, a file and an empty folder are told apart from a record."""
    path = tmp_path / "it"
    if kind == "file":
        path.write_text("text")
    elif kind == "empty folder":
        path.mkdir()
    assert ("does not exist" if kind == "nothing" else "not a record") in refused(path)
