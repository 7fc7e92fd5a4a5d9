"""The comparison can fail: faults in real records are found, at their rung and by name."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from parity import rungs
from parity.cli import parser
from parity.ladder import record
from parity.ladder.record import HEADER, TENSORS
from parity.rungs import RUNGS
from parity.verdict import compare
from parity_tests.conftest import Run
from parity_tests.record.faults import (
    BOTH,
    FAULTS,
    STEPS,
    Plant,
    Planted,
    changed,
    claimed_null,
    first_entry,
)

FAMILIES = ("softmax", "dropout", "cnn", "rnn")


FLAGS = ["--hidden", "16", "16", "--channels", "4", "--units", "6", "--rate", "0.3"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, run_here: Run) -> Path:
    """Records of small models on the digits, by both implementations."""
    folder = tmp_path_factory.mktemp("recorded")
    flags = ["--model", *FAMILIES, "--dataset", "digits", "--threads", "1", *FLAGS]
    flags += ["--steps", str(STEPS)]
    for side in ("keras", "torch"):
        run_here(side, "record", *flags, "--out", folder / side)
    return folder


def copy(source: Path, target: Path, plant: Plant) -> None:
    """A copy of a record with a fault in it, and the checksum to match."""
    planted = Planted(load_file(source / TENSORS), json.loads((source / HEADER).read_text()))
    plant(planted)
    target.mkdir(parents=True)
    save_file(planted.tensors, target / TENSORS)
    digest = hashlib.sha256((target / TENSORS).read_bytes()).hexdigest()
    planted.header["tensors"]["sha256"] = digest
    (target / HEADER).write_text(json.dumps(planted.header))


def exit_code(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        parser.main(["compare", *map(str, arguments)])
    code = stopped.value.code
    assert isinstance(code, int)
    return code


def judged(a: Path, b: Path, tmp_path: Path) -> tuple[int, dict[str, Any]]:
    """Exit code of ``parity compare``, and what its JSON says of the only model."""
    code = exit_code(a, b, "--json", tmp_path / "out.json")
    return code, json.loads((tmp_path / "out.json").read_text())


def nothing(planted: Planted) -> None:
    pass


@pytest.mark.parametrize("family", FAMILIES)
def test_a_clean_pair_is_the_same(recorded: Path, tmp_path: Path, family: str) -> None:
    """Real records are SAME, and remain so when copied the way faults are planted."""
    for side in ("keras", "torch"):
        copy(recorded / side / family, tmp_path / side, nothing)
    code, model = judged(tmp_path / "keras", tmp_path / "torch", tmp_path)
    assert (code, model["verdict"]) == (0, "same")
    assert all(check["ok"] for check in model["checks"])


@pytest.mark.parametrize("side", ["keras", "torch"])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_found(recorded: Path, tmp_path: Path, fault: str, side: str) -> None:
    """A fault in either record gives exit code 1, and is named on its rung."""
    family, plant, where = FAULTS[fault]
    copy(recorded / side / family, tmp_path / side, plant)
    sides = {"keras": recorded / "keras" / family, "torch": recorded / "torch" / family}
    sides[side] = tmp_path / side
    code, model = judged(sides["keras"], sides["torch"], tmp_path)
    first = model["first_divergence"]
    assert code == 1
    tensor = first["tensor"].removesuffix(f" ({side})")
    assert (first["dtype"], first["rung"], tensor) == where


@pytest.mark.parametrize("fault", BOTH)
def test_faults_of_both_sides_are_found(recorded: Path, tmp_path: Path, fault: str) -> None:
    """Two records that are wrong alike are not the same as right ones."""
    family, plant, where = BOTH[fault]
    for side in ("keras", "torch"):
        copy(recorded / side / family, tmp_path / side, plant)
    code, model = judged(tmp_path / "keras", tmp_path / "torch", tmp_path)
    first = model["first_divergence"]
    assert code == 1
    assert (first["dtype"], first["rung"], first["tensor"]) == where


@pytest.mark.parametrize("side", ["keras", "torch"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rung", RUNGS)
def test_a_nan_is_found_in_every_kind_of_tensor(
    recorded: Path, tmp_path: Path, rung: str, dtype: str, side: str
) -> None:
    """One NaN in any kind of tensor, of either dtype and side, is a difference with its place."""
    source = recorded / side / "cnn"  # the model with buffers and null gradients
    sides = {other: recorded / other / "cnn" for other in ("keras", "torch")}
    tensors = load_file(source / TENSORS)
    kinds: dict[tuple[object, ...], str] = {}
    for name in sorted(tensors):
        if name.startswith(f"{dtype}/{rung}/") and tensors[name].dtype.kind == "f":
            role = rungs.role_of(rung, name.split("/", 2)[2])
            trains = "moving" not in name
            kinds[role.kind, role.kind == "other" and name, role.step, trains] = name
    assert kinds
    for number, name in enumerate(kinds.values()):
        sides[side] = tmp_path / str(number)
        copy(source, sides[side], changed(name, first_entry(np.nan)))
        with record.read(sides["keras"]) as a, record.read(sides["torch"]) as b:
            comparison = compare.compare(a, b)
        first = comparison.first
        assert first, name
        assert (first.dtype, first.rung, first.tensor) == (dtype, rung, name.split("/", 2)[2])
        assert first.observed == np.inf
        assert "not finite" in " ".join(first.notes)
        has_float32 = rungs.join("float32", first.rung, first.tensor) in tensors
        if (dtype, side) == ("float64", "keras") and has_float32 and first.tensor != "accuracy":
            # float32 is judged against it, so it fails as well
            assert any(check.dtype == "float32" for check in comparison.failed), name
        shutil.rmtree(sides[side])


def test_null_gradients_that_are_not_null_are_judged(recorded: Path, tmp_path: Path) -> None:
    """Both headers call a real gradient null, and it differs: found all the same."""
    copy(recorded / "keras" / "softmax", tmp_path / "keras", claimed_null("dense_1/bias"))

    def plant(planted: Planted) -> None:
        claimed_null("dense_1/bias")(planted)
        planted.change("float64/gradients/dense_1/bias", first_entry(1.5))

    copy(recorded / "torch" / "softmax", tmp_path / "torch", plant)
    code, model = judged(tmp_path / "keras", tmp_path / "torch", tmp_path)
    assert code == 1
    assert model["first_divergence"]["tensor"] == "dense_1/bias"


@pytest.mark.parametrize("side", ["keras", "torch"])
def test_a_null_gradient_of_exact_zeros_is_null(recorded: Path, tmp_path: Path, side: str) -> None:
    """Rounding that cancels on one side, which then does not name the parameter, is no fault."""

    def plant(planted: Planted) -> None:
        del planted.header["null_gradients"]["conv_1/bias"]
        planted.change("float64/gradients/conv_1/bias", np.zeros_like)

    copy(recorded / side / "cnn", tmp_path / side, plant)
    sides = {other: recorded / other / "cnn" for other in ("keras", "torch")}
    sides[side] = tmp_path / side
    code, model = judged(sides["keras"], sides["torch"], tmp_path)
    assert code == 0
    assert [entry["parameter"] for entry in model["records"]["null_gradients"]] == ["conv_1/bias"]


def test_null_gradients_of_one_side_are_judged(recorded: Path, tmp_path: Path) -> None:
    """A null gradient that only one header names is a difference, and the report says why."""

    def plant(planted: Planted) -> None:
        del planted.header["null_gradients"]["conv_1/bias"]

    copy(recorded / "torch" / "cnn", tmp_path / "torch", plant)
    code, model = judged(recorded / "keras" / "cnn", tmp_path / "torch", tmp_path)
    assert code == 1
    assert model["first_divergence"]["tensor"] == "conv_1/bias"
    assert any("null gradient for keras alone" in note for note in model["notes"])


def test_unequal_specs_are_refused(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Records of unequal runs give exit code 2 and one line that names what differs."""

    def plant(planted: Planted) -> None:
        planted.header["spec"]["training"]["seed"] = 1

    copy(recorded / "torch" / "rnn", tmp_path / "torch", plant)
    assert exit_code(recorded / "keras" / "rnn", tmp_path / "torch") == 2
    assert "training.seed (0 against 1)" in capsys.readouterr().err


def test_a_record_edited_without_its_checksum_is_refused(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged record gives exit code 2, never a verdict."""
    shutil.copytree(recorded / "torch" / "rnn", tmp_path / "torch")
    file = tmp_path / "torch" / TENSORS
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert exit_code(recorded / "keras" / "rnn", tmp_path / "torch") == 2
    assert "damaged record" in capsys.readouterr().err
