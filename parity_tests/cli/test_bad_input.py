"""Wrong flags are refused in one line: the value received and what is accepted."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.data import datasets
from parity.ladder import record
from parity_tests.conftest import Refused
from parity_tests.record.made_up import HEADER, SPEC, TENSORS


def trained(path: Path, model: Any = SPEC.model, **change: Any) -> Path:
    """A training record of zeros; `change` replaces tensors by their name in the table."""
    known = dataclasses.replace(SPEC.data, sha256=datasets.load("digits", size="embedded").sha256)
    spec = dataclasses.replace(SPEC, family=model.family, model=model, data=known)
    weights = {row.name: np.zeros(row.shape, np.float32) for row in model.parameters()}
    results = {"float32": {"accuracy": 0.1, "loss": 1.0}}
    header = dataclasses.replace(
        HEADER, kind="training", spec=spec, dtypes=("float32",), results=results
    )
    tensors = {f"float32/parameters/{name}": x for name, x in {**weights, **change}.items()}
    record.write(path, header, tensors)
    return path


@pytest.mark.parametrize("entry", ["keras", "torch"])
@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ("--model transformer", ["transformer", "softmax"]),
        ("--model softmax --dataset cifar", ["cifar", "digits"]),
        ("--model softmax --dtype float16", ["float16", "float32"]),
        ("--model softmax --flavour keras4", ["keras4", "keras3"]),
        ("--model softmax --depth 3", ["--depth"]),
        ("--model softmax --hid 3", ["--hid"]),
        ("", ["--model"]),
        ("--model dropout --rate 1.0", ["'1.0'", "< 1"]),
        ("--model dropout --rate nan", ["'nan'"]),
        ("--model dropout --rate -0.1", ["'-0.1'"]),
        ("--model softmax --learning-rate inf", ["'inf'"]),
        ("--model softmax --learning-rate 1e300", ["'1e300'"]),
        ("--model softmax --learning-rate 0", ["'0'", "> 0"]),
        ("--model softmax --hidden 0", ["'0'", ">= 1"]),
        ("--model softmax --hidden 1.5", ["'1.5'", "whole number"]),
        ("--model softmax --hidden 99999999999999999999", ["parameters", "at most"]),
        ("--model softmax --batch-size 0", ["'0'", ">= 1"]),
        ("--model softmax --seed -1", ["'-1'", ">= 0"]),
        ("--model softmax --seed 99999999999999999999", ["99999999999999999999"]),
        ("--model softmax --epochs 99999999999999999999", ["99999999999999999999", "at most"]),
        ("--model softmax --threads 0", ["'0'", ">= 1"]),
        ("--model softmax --threads -1", ["'-1'"]),
        ("--model softmax --threads x", ["'x'"]),
        ("--model softmax --threads 99999999999", ["99999999999"]),
        ("--model softmax --device cpu:x", ["'cpu:x'", "cuda:N"]),
        ("--model softmax --device cuda:-1", ["'cuda:-1'"]),
        ("--model softmax --device=", ["''"]),
        ("--model softmax --rate 0.5", ["--rate", "dropout"]),
        ("--model softmax --lr-schedule spiral", ["'spiral'", "cosine_restarts"]),
        ("--model softmax --lr-schedule exponential", ["decay_rate: received nothing"]),
        ("--model softmax --lr-schedule cosine --decay-rate 2", ["2.0", "'cosine'", "exponential"]),
        ("--model softmax --decay-steps 10", ["decay_steps: received 10", "'constant'", "cosine"]),
        ("--model softmax --lr-schedule cosine --decay-steps 0", ["'0'", ">= 1"]),
        ("--model softmax --lr-schedule cosine --alpha 1.1", ["'1.1'", "<= 1"]),
        ("--model softmax --lr-schedule cosine --warmup-steps 3", ["3 without warmup_target"]),
        ("--model softmax --lr-schedule cosine_restarts --t-mul 0.5", ["'0.5'", ">= 1"]),
        (
            "--model softmax --lr-schedule piecewise_constant --boundaries 3 3 --values 1 2",
            ["boundaries: received 3 3", "rising"],
        ),
        (
            "--model softmax --lr-schedule piecewise_constant --boundaries 3 4 --values 1",
            ["values: received 1 with 2 boundaries", "one for each"],
        ),
        ("--model softmax --lr-schedule cosine --reduce-lr-on-plateau 2", ["'cosine'", "constant"]),
        ("--model softmax --early-stopping -1", ["'-1'", ">= 0"]),
        ("--model softmax --early-stopping 2 --monitor f1", ["'f1'", "val_accuracy"]),
        ("--model softmax --restore-best-weights", ["True without early_stopping"]),
        ("--model softmax --early-stopping 2 --min-delta -1", ["'-1'", ">= 0"]),
        ("--model softmax --reduce-lr-on-plateau 1 --plateau-factor 1", ["'1'", "< 1"]),
        ("--model softmax --plateau-cooldown 1", ["1 without reduce_lr_on_plateau"]),
        ("--model softmax --loss mse", ["mse", "mean_squared_error"]),
        ("--model softmax --loss poisson", ["loss: received 'poisson' with output 'logits'"]),
        ("--model rnn --head sigmoid --loss categorical_hinge", ["head 'sigmoid'", "head softmax"]),
        ("--model softmax --loss hinge --label-smoothing 0.1", ["label_smoothing: received 0.1"]),
        ("--model softmax --huber-delta 2", ["huber_delta: received 2", "with huber"]),
        ("--model softmax --loss huber --huber-delta 0", ["'0'", "> 0"]),
        ("--model cnn --dataset digits --kernel-size 9", ["9", "8x8"]),
        ("--model cnn --dataset digits --channels 4 4 4 4", ["4 blocks"]),
        ("--model cnn --dataset japanese_vowels", ["cnn", "japanese_vowels"]),
        ("--model softmax --dataset digits --head sigmoid --positive-class 10", ["10", "0 to 9"]),
        ("--model softmax --dataset digits --positive-class 1", ["--positive-class"]),
        ("--model softmax --dataset digits --data full", ["--data full", "digits", "embedded"]),
        ("--model softmax --dataset digits --download", ["--download: does not apply to digits"]),
        ("--model rnn --dataset japanese_vowels --data-dir x", ["--data-dir x: does not apply"]),
        ("--model cnn --dataset mnist --data embedded", ["--data: received 'embedded' for mnist"]),
        (
            "--model cnn --dataset fashion_mnist --data embedded --data-dir x",
            ["--data-dir x: contradicts --data embedded"],
        ),
        (
            "--model cnn --dataset fashion_mnist --data embedded --download",
            ["--download: contradicts --data embedded"],
        ),
        ("--model softmax --dataset fashion_mnist --data-dir nowhere", ["nowhere"]),
    ],
)
def test_flags_of_train(refused: Refused, entry: str, flags: str, named: list[str]) -> None:
    """Either twin refuses a wrong value before it starts a framework."""
    line = refused(entry, "train --out new " + flags)
    assert [word for word in named if word not in line] == []


@pytest.mark.parametrize("command", ["", "fly", "train --model", "compare only-one"])
def test_commands(refused: Refused, command: str) -> None:
    """No command, an unknown one, and missing values are wrong use."""
    refused("parity", command)


@pytest.mark.parametrize(
    "flags",
    [
        *("--steps 0", "--steps 10001", "--dtype float16"),
        *("--seeds 0", "--seeds 101", "--seeds 5 --dtype float64"),
    ],
)
def test_flags_of_record(refused: Refused, flags: str) -> None:
    """A ladder without steps, of endless steps, or in an unknown dtype is refused."""
    assert flags.split()[1] in refused("torch", f"record --model softmax --out new {flags}")


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ("--early-stopping 2", "--early-stopping: does not apply to a ladder"),
        ("--monitor loss", "--monitor: does not apply to a ladder"),
        ("--epochs 0", "'0'"),
        ("--epochs 2 --dtype float32", "--epochs: received 2 without float64"),
        ("--epochs 99999999999999", "at most"),
    ],
)
@pytest.mark.parametrize("entry", ["torch record --out new", "parity run --out new"])
def test_whole_trainings_of_records(refused: Refused, entry: str, flags: str, named: str) -> None:
    """Callbacks without epochs, and epochs without float64, are refused."""
    name, command = entry.split(" ", 1)
    assert named in refused(name, f"{command} --model softmax --dataset digits {flags}")


@pytest.mark.parametrize(
    "command",
    [
        "torch train --model softmax --dataset digits",
        "keras record --model softmax --dataset digits",
        "parity run --model softmax --dataset digits",
    ],
)
@pytest.mark.parametrize(
    "out", ["file", "folder", "link", "file/below", "/proc/no/where", "x" * 300]
)
def test_out_that_cannot_be_made(refused: Refused, tmp_path: Path, command: str, out: str) -> None:
    """What stands at --out stays, and what cannot be made is refused before any work."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    entry, rest = command.split(" ", 1)
    assert out in refused(entry, rest, "--out", out)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("command", ["run --model softmax --out new", "compare a b"])
@pytest.mark.parametrize("target", ["missing/report.json", "folder", "file/report.json"])
def test_json_that_cannot_be_written(
    refused: Refused, tmp_path: Path, command: str, target: str
) -> None:
    """--json is checked before anything is computed or read."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    assert target in refused("parity", command, "--json", target)


@pytest.mark.parametrize("below", [".", "cnn"])
@pytest.mark.parametrize("name", ["a/record.json", "b/record.json", "a/new.json", "link"])
def test_json_in_a_record(refused: Refused, tmp_path: Path, below: str, name: str) -> None:
    """--json replaces no file of a record, not even through a link, and adds none."""
    for side in ("a", "b"):
        record.write(tmp_path / side / below, HEADER, TENSORS)
    (tmp_path / "link").symlink_to(tmp_path / "a" / below / record.HEADER)
    target = name if name == "link" else str(Path(name[0]) / below / name[2:])
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.*") if file.is_file()}
    line = refused("parity", "compare a b --json", target)
    assert f"--json: received {target!r}" in line
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.*") if file.is_file()} == before


@pytest.mark.parametrize("flags", ["--data-dir x", "--download"])
def test_full_set_for_weights_of_the_embedded_one(
    refused: Refused, tmp_path: Path, flags: str
) -> None:
    """Weights are evaluated on the size they were trained on, so these flags do nothing."""
    weights = trained(tmp_path / "w")
    assert f"{flags}: does not apply" in refused("torch", f"evaluate {flags} --weights", weights)


@pytest.mark.parametrize("other", ["nothing", "file", "folder", "training"])
def test_compare_with_what_is_no_ladder(refused: Refused, tmp_path: Path, other: str) -> None:
    """The other side of a comparison must be a ladder record, too."""
    record.write(tmp_path / "good", HEADER, TENSORS)
    path = tmp_path / other
    if other == "file":
        path.write_text("text")
    elif other == "folder":
        path.mkdir()
    elif other == "training":
        trained(path)
    for pair in ((path, tmp_path / "good"), (tmp_path / "good", path)):
        assert str(path) in refused("parity", "compare", *pair)


@pytest.mark.parametrize(
    ("field", "value"), [("epochs", 4), ("seed", 5), ("batch_size", 6), ("steps", 7)]
)
def test_compare_of_different_runs(
    refused: Refused, tmp_path: Path, field: str, value: int
) -> None:
    """Records of different runs are no verdict: the line names the field and both values."""
    content = {"steps": value} if field == "steps" else {}
    training = {} if field == "steps" else {field: value}
    spec = dataclasses.replace(SPEC, training=dataclasses.replace(SPEC.training, **training))
    record.write(tmp_path / "a", HEADER, TENSORS)
    record.write(tmp_path / "b", dataclasses.replace(HEADER, spec=spec, **content), TENSORS)
    line = refused("parity", "compare a b")
    before = HEADER.steps if field == "steps" else getattr(SPEC.training, field)
    assert f"{field} ({before} against {value})" in line


def test_compare_of_folders_with_different_models(refused: Refused, tmp_path: Path) -> None:
    """Folders of records must hold the same names; half-written ones are not counted."""
    for name in ("a/cnn", "a/rnn", "b/cnn", "b/.rnn-x"):
        record.write(tmp_path / name, HEADER, TENSORS)
    assert "rnn" in refused("parity", "compare a b")


@pytest.mark.parametrize("other", ["nothing", "several/cnn"])
def test_compare_of_a_folder_with_what_is_none(refused: Refused, other: str) -> None:
    """Beside a folder of records the line names what the other side is, whichever comes first."""
    for name in ("cnn", "rnn"):
        record.write(Path("several") / name, HEADER, TENSORS)
    for pair in (("several", other), (other, "several")):
        assert other in refused("parity", "compare", *pair)


X, Y = np.zeros((3, 8, 8, 1), np.float32), np.array([0, 1, 9])
