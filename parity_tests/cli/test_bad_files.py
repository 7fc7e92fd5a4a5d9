"""Weights and examples that do not fit are refused in one line."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.ladder import record
from parity.specs.rnn import RnnSpec
from parity_tests.cli.test_bad_input import X, Y, trained
from parity_tests.conftest import Refused
from parity_tests.record.made_up import HEADER, SPEC, TENSORS


@pytest.mark.parametrize("command", ["evaluate", "predict"])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"logits/kernel": np.zeros((10, 64), np.float32)}, ["(10, 64)", "(64, 10)"]),
        ({"logits/bias": np.zeros((1, 10), np.float32)}, ["(1, 10)", "(10,)"]),
    ],
)
def test_weights_of_a_wrong_shape(
    refused: Refused, tmp_path: Path, command: str, change: dict[str, Any], named: list[str]
) -> None:
    """The line names the parameter, its shape, and the shape that the spec calls for."""
    line = refused("torch", command, "--weights", trained(tmp_path / "w", **change))
    assert [word for word in (*named, *change) if word not in line] == []


@pytest.mark.parametrize("entry", ["keras", "torch"])
@pytest.mark.parametrize(
    ("flags", "head", "named"),
    [
        ("--metrics accurracy", "softmax", ["accurracy", "confusion_matrix"]),
        ("--metrics f1 top_k", "sigmoid", ["received top_k", "'sigmoid'", "accuracy, precision"]),
        ("--metrics top_k --top-k 11", "softmax", ["--top-k: received 11", "1 to 10"]),
        ("--metrics top_k --top-k 0", "softmax", ["'0'", ">= 1"]),
        ("--metrics f1 --top-k 3", "softmax", ["--top-k: received 3", "--metrics top_k"]),
    ],
)
def test_metrics_that_do_not_apply(
    refused: Refused, tmp_path: Path, entry: str, flags: str, head: str, named: list[str]
) -> None:
    """An unknown metric, one that the head has not, and places beyond the classes."""
    classes = 2 if head == "sigmoid" else 10
    model = dataclasses.replace(SPEC.model, head=head, classes=classes)
    line = refused(entry, f"evaluate {flags} --weights", trained(tmp_path / "w", model))
    assert [word for word in named if word not in line] == []


def test_an_area_of_no_numbers(refused: Refused, tmp_path: Path) -> None:
    """Weights that diverged have no area under a curve: Keras 2 would end in a traceback."""
    diverged = {"logits/bias": np.full(SPEC.model.outputs, np.nan, np.float32)}
    line = refused("torch", "evaluate --metrics auc --weights", trained(tmp_path / "w", **diverged))
    assert "--metrics: received auc for outputs with NaN or infinity" in line


@pytest.mark.parametrize("weights", ["nothing", "file", "folder", "ladder"])
def test_weights_that_are_none(refused: Refused, tmp_path: Path, weights: str) -> None:
    """--weights must be a training record."""
    path = tmp_path / weights
    if weights == "file":
        path.write_text("text")
    elif weights == "folder":
        path.mkdir()
    elif weights == "ladder":
        record.write(path, HEADER, TENSORS)
    assert str(path) in refused("keras", "evaluate --weights", path)


def test_weights_of_other_data(refused: Refused, tmp_path: Path) -> None:
    """Weights are evaluated on the data that they were trained on, or on the user's own."""
    path = trained(tmp_path / "w")
    file = path / record.HEADER
    content = json.loads(file.read_text())
    content["spec"]["data"]["sha256"] = "f" * 64
    file.write_text(json.dumps(content))
    assert "ffffffffffff" in refused("torch", "evaluate --weights", path)


@pytest.mark.parametrize(
    ("arrays", "named"),
    [
        ({"x": X}, ["x and y"]),
        ({"y": Y}, ["x and y"]),
        ({}, ["x and y"]),
        ({"x": X[:0], "y": Y[:0]}, ["(0, 8, 8, 1)"]),
        ({"x": X[:, :7], "y": Y}, ["(3, 7, 8, 1)", "(N, 8, 8, 1)"]),
        ({"x": X.reshape(3, 64), "y": Y}, ["(3, 64)"]),
        ({"x": np.float32(1), "y": Y}, ["()"]),
        ({"x": X.astype(str), "y": Y}, ["<U32", "numbers"]),
        ({"x": X.astype(object), "y": Y}, ["pickle"]),
        ({"x": X * np.nan, "y": Y}, ["nan"]),
        ({"x": X.astype(np.float64) + 1e300, "y": Y}, ["inf"]),
        ({"x": X, "y": np.array([0, 1, 10])}, ["10", "0 to 9"]),
        ({"x": X, "y": np.array([0, 1, -1])}, ["-1", "0 to 9"]),
        ({"x": X, "y": np.array([0, 1, 2**64 - 1], np.uint64)}, [str(2**64 - 1)]),
        ({"x": X, "y": Y.astype(np.float32)}, ["float32", "integers"]),
        ({"x": X, "y": Y[:2]}, ["(2,)", "(3,)"]),
        ({"x": X, "y": Y, "lengths": np.array([8, 8, 8])}, ["lengths"]),
    ],
)
def test_examples_of_images(
    refused: Refused, tmp_path: Path, arrays: dict[str, Any], named: list[str]
) -> None:
    """Examples of the user's own are checked before a framework starts."""
    np.savez(tmp_path / "mine.npz", **arrays)
    weights = trained(tmp_path / "w")
    line = refused("torch", "evaluate --input mine.npz --weights", weights)
    assert [word for word in named if word not in line] == []


@pytest.mark.parametrize(
    ("lengths", "named"),
    [([8, 0, 8], "0"), ([8, 9, 8], "9"), ([8, -1, 8], "-1"), ([8.0, 2.7, 8.0], "float64")],
)
def test_lengths_of_sequences(
    refused: Refused, tmp_path: Path, lengths: list[float], named: str
) -> None:
    """A sequence has one step at least, as many as there are at most, and no half ones."""
    model = RnnSpec(input_shape=(8, 8), classes=10, units=3)
    np.savez(tmp_path / "mine.npz", x=X[..., 0], lengths=np.array(lengths))
    line = refused("torch", "predict --input mine.npz --weights", trained(tmp_path / "w", model))
    assert named in line.split("lengths")[1]


@pytest.mark.parametrize("kind", ["nothing", "folder", "text", "npy", "cut", "foreign"])
def test_input_that_is_no_npz(refused: Refused, tmp_path: Path, kind: str) -> None:
    """Whatever --input is, it is refused in a line."""
    path = tmp_path / "mine.npz"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("x,y\n1,2\n")
    elif kind == "npy":
        with path.open("wb") as file:
            np.save(file, X)
    elif kind == "cut":
        np.savez(path, x=X)
        path.write_bytes(path.read_bytes()[:-50])
    elif kind == "foreign":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x", "text")
    weights = trained(tmp_path / "w")
    assert "mine.npz" in refused("keras", "predict --input mine.npz --weights", weights)


@pytest.mark.parametrize("out", ["rows.txt", "rows", "here.csv"])
def test_out_of_predict(refused: Refused, tmp_path: Path, out: str) -> None:
    """--out of predict is a new .csv or .npz file."""
    (tmp_path / "here.csv").write_text("mine")
    weights = trained(tmp_path / "w")
    assert out in refused("torch", "predict --weights", weights, "--out", out)
    assert (tmp_path / "here.csv").read_text() == "mine"
