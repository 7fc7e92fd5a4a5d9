"""The comparison can fail: faults planted into real records are found, by rung and by name."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
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

FAMILIES = ("softmax", "dropout", "cnn", "rnn")
STEPS = 4
FLAGS = ["--hidden", "16", "16", "--channels", "4", "--units", "6", "--rate", "0.3"]

Tensors = dict[str, np.ndarray]


@dataclass
class Planted:
    """A record being spoilt: its tensors and its header, to be changed in place."""

    tensors: Tensors
    header: dict[str, Any]

    def change(self, name: str, new: Callable[[np.ndarray], np.ndarray]) -> None:
        """Replace a tensor by what ``new`` makes of it."""
        self.tensors[name] = np.array(new(self.tensors[name].copy()), order="C")

    def swap(self, a: str, b: str) -> None:
        """Exchange two tensors."""
        self.tensors[a], self.tensors[b] = self.tensors[b], self.tensors[a]


Plant = Callable[[Planted], None]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of small models on the digits, by both implementations."""
    folder = tmp_path_factory.mktemp("recorded")
    flags = ["--model", *FAMILIES, "--dataset", "digits", "--threads", "1", *FLAGS]
    flags += ["--steps", str(STEPS)]
    for side in ("keras", "torch"):
        command = [sys.executable, "-m", f"{side}_impl", "record", *flags]
        done = subprocess.run(
            [*command, "--out", str(folder / side)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
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
    return code, json.loads((tmp_path / "out.json").read_text())["models"][0]


def first_entry(factor: float = 1.0, offset: float = 0.0) -> Callable[[np.ndarray], np.ndarray]:
    """Change the entry of the largest size alone."""

    def changed(x: np.ndarray) -> np.ndarray:
        place = np.unravel_index(int(np.abs(x).argmax()), x.shape)
        x[place] = x[place] * factor + offset
        return x

    return changed


def one_ulp(x: np.ndarray) -> np.ndarray:
    x.flat[3] = np.nextafter(x.flat[3], x.dtype.type(np.inf))
    return x


def cancelling(x: np.ndarray) -> np.ndarray:
    """Add +d and −d in turn: the mean of the differences is exactly zero."""
    d = 1e-9 * float(np.abs(x).max())
    x.reshape(-1)[0::2] += d
    x.reshape(-1)[1::2] -= d
    return x


def swap_gates(x: np.ndarray) -> np.ndarray:
    z, r, h = np.split(x, 3, axis=-1)
    return np.concatenate([r, z, h], axis=-1)


def bessel(planted: Planted) -> None:
    """Let the variance that enters the running one be the unbiased one once more."""
    name = "batch_norm_1/moving_variance"
    kept = 0.99 * planted.tensors[f"float64/parameters/{name}"]
    count = 64 * 8 * 8
    planted.change(
        f"float64/step/weights/{name}", lambda x: kept + (x - kept) * count / (count - 1)
    )


def changed(name: str, new: Callable[[np.ndarray], np.ndarray]) -> Plant:
    return lambda planted: planted.change(name, new)


def dropped(name: str) -> Plant:
    return lambda planted: planted.header["trainable"].remove(name)


def added(planted: Planted) -> None:
    planted.tensors["float64/parameters/extra/kernel"] = np.zeros((2, 2))


def claimed_null(name: str) -> Plant:
    """Both headers may call a gradient null; a real one must be judged all the same."""

    def plant(planted: Planted) -> None:
        planted.header["null_gradients"][name] = 1e-16

    return plant


def counted(extra: int, what: str = "trainable") -> Plant:
    """Let the framework have counted other parameters than the canonical names cover."""

    def plant(planted: Planted) -> None:
        planted.header["counts"][what] += extra

    return plant


COUNT = "trainable parameters in all"

FAULTS: dict[str, tuple[str, Plant, tuple[str, str, str]]] = {
    "one_weight_off_by_one_ulp": (
        "softmax",
        changed("float64/parameters/dense_2/kernel", one_ulp),
        ("float64", "parameters", "dense_2/kernel"),
    ),
    "one_float32_weight_off_by_one_ulp": (
        "rnn",
        changed("float32/parameters/rnn_1/bias", one_ulp),
        ("float32", "parameters", "rnn_1/bias"),
    ),
    "missing_parameter": (
        "softmax",
        lambda planted: planted.tensors.pop("float64/parameters/logits/bias"),
        ("float64", "parameters", "logits/bias"),
    ),
    "missing_slot": (
        "cnn",
        lambda planted: planted.tensors.pop("float64/step/slots/v/conv_1/kernel"),
        ("float64", "step", "slots/v/conv_1/kernel"),
    ),
    "missing_in_float32": (
        "cnn",
        lambda planted: planted.tensors.pop("float32/forward_train/activation_1"),
        ("float32", "forward_train", "activation_1"),
    ),
    "extra_tensor": ("softmax", added, ("float64", "parameters", "extra/kernel")),
    "transposed_square_kernel": (
        "softmax",
        changed("float64/parameters/dense_2/kernel", np.transpose),
        ("float64", "parameters", "dense_2/kernel"),
    ),
    "transposed_oblong_kernel": (
        "softmax",
        changed("float64/gradients/dense_1/kernel", np.transpose),
        ("float64", "gradients", "dense_1/kernel"),
    ),
    "flattened": (
        "softmax",
        changed("float64/forward_eval/dense_1", np.ravel),
        ("float64", "forward_eval", "dense_1"),
    ),
    "channels_first": (
        "cnn",
        changed("float64/forward_eval/conv_1", lambda x: x.transpose(0, 3, 1, 2).reshape(x.shape)),
        ("float64", "forward_eval", "conv_1"),
    ),
    "swapped_activations": (
        "softmax",
        lambda planted: planted.swap(
            "float64/forward_eval/dense_1", "float64/forward_eval/dense_2"
        ),
        ("float64", "forward_eval", "dense_1"),
    ),
    "swapped_gradients": (
        "softmax",
        lambda planted: planted.swap(
            "float64/gradients/dense_1/bias", "float64/gradients/dense_2/bias"
        ),
        ("float64", "gradients", "dense_2/bias"),
    ),
    "swapped_gates": (
        "rnn",
        changed("float64/step/weights/rnn_1/recurrent_kernel", swap_gates),
        ("float64", "step", "weights/rnn_1/recurrent_kernel"),
    ),
    "slot_changed": (
        "rnn",
        changed("float64/step/slots/m/rnn_1/kernel", first_entry(1 + 1e-10)),
        ("float64", "step", "slots/m/rnn_1/kernel"),
    ),
    "bessel": ("cnn", bessel, ("float64", "step", "weights/batch_norm_1/moving_variance")),
    "label_flipped": (
        "rnn",
        changed("float64/predictions/labels", lambda x: np.where(np.arange(len(x)) == 7, 9 - x, x)),
        ("float64", "predictions", "labels"),
    ),
    "loss_of_one_step": (
        "cnn",
        changed("float64/steps/losses", lambda x: x * np.where(np.arange(STEPS) == 2, 1 + 1e-9, 1)),
        ("float64", "steps", "losses"),
    ),
    "rounded_to_float16": (
        "cnn",
        changed("float64/forward_train/activation_1", lambda x: x.astype("f2").astype("f8")),
        ("float64", "forward_train", "activation_1"),
    ),
    "rounded_to_float32": (
        "softmax",
        changed("float64/loss/loss", lambda x: x.astype("f4").astype("f8")),
        ("float64", "loss", "loss"),
    ),
    "float32_rounded_to_float16": (
        "softmax",
        changed("float32/gradients/dense_1/kernel", lambda x: x.astype("f2").astype("f4")),
        ("float32", "gradients", "dense_1/kernel"),
    ),
    "of_another_dtype": (
        "softmax",
        changed("float64/steps/weights/logits/bias", lambda x: x.astype("f4")),
        ("float64", "steps", "weights/logits/bias"),
    ),
    "cancelling_differences": (
        "softmax",
        changed("float64/gradients/dense_2/kernel", cancelling),
        ("float64", "gradients", "dense_2/kernel"),
    ),
    "infinity": (
        "cnn",
        changed("float64/forward_eval/pool_1", first_entry(np.inf)),
        ("float64", "forward_eval", "pool_1"),
    ),
    "sign": (
        "rnn",
        changed("float64/gradients/rnn_1/bias", first_entry(-1)),
        ("float64", "gradients", "rnn_1/bias"),
    ),
    "trainable_flag_dropped": (
        "softmax",
        dropped("dense_2/bias"),
        ("float64", "parameters", "dense_2/bias"),
    ),
    "counts_beyond_the_table": ("cnn", counted(4), ("float64", "parameters", COUNT)),
    "counts_of_a_layer": (
        "cnn",
        counted(4, "conv_1"),
        ("float64", "parameters", "conv_1/trainable parameters"),
    ),
    "counts_short_of_the_table": ("rnn", counted(-1), ("float64", "parameters", COUNT)),
    "input_scaled": (
        "cnn",
        changed("float64/forward_eval/input", lambda x: x / 255),
        ("float64", "forward_eval", "input"),
    ),
    "float32_input_off_by_one_ulp": (
        "softmax",
        changed("float32/forward_train/input", one_ulp),
        ("float32", "forward_train", "input"),
    ),
    "mask_inverted": (
        "dropout",
        changed("float64/forward_train/dropout_1/mask", np.invert),
        ("float64", "forward_train", "dropout_1/mask"),
    ),
    "mask_of_a_step_inverted": (
        "dropout",
        changed("float64/steps/3/dropout_1/mask", np.invert),
        ("float64", "steps", "3/dropout_1/mask"),
    ),
    "labels_of_a_step_shifted": (
        "softmax",
        changed("float64/steps/3/labels", lambda x: np.roll(x, 1)),
        ("float64", "steps", "3/labels"),
    ),
    "batch_of_the_first_step_reversed": (
        "rnn",
        changed("float64/step/input", lambda x: x[::-1]),
        ("float64", "step", "input"),
    ),
    "labels_of_a_step_missing": (
        "cnn",
        lambda planted: planted.tensors.pop("float64/steps/3/labels"),
        ("float64", "steps", "3/labels"),
    ),
    "gradient_of_an_output": (
        "cnn",
        changed("float64/gradients/pool_1/output", first_entry(1 + 1e-9)),
        ("float64", "gradients", "pool_1/output"),
    ),
    "weights_of_a_step": (
        "rnn",
        changed("float64/steps/3/weights/rnn_1/kernel", first_entry(1 + 1e-9)),
        ("float64", "steps", "3/weights/rnn_1/kernel"),
    ),
    "statistics_of_a_step": (
        "cnn",
        changed("float64/steps/2/weights/batch_norm_1/moving_mean", first_entry(1 + 1e-9)),
        ("float64", "steps", "2/weights/batch_norm_1/moving_mean"),
    ),
    "nan_in_the_float32_accuracy": (
        "softmax",
        changed("float32/predictions/accuracy", first_entry(np.nan)),
        ("float32", "predictions", "accuracy"),
    ),
    "null_gradient_huge_in_float32": (
        "cnn",
        changed("float32/gradients/conv_1/bias", first_entry(0.0, 1e6)),
        ("float32", "gradients", "conv_1/bias"),
    ),
    "buffer_called_trainable": (
        "cnn",
        lambda planted: planted.header["trainable"].append("batch_norm_1/moving_mean"),
        ("float64", "parameters", "batch_norm_1/moving_mean"),
    ),
}
"""Name to (model, the fault, where it must be found first: dtype, rung, tensor)."""

BOTH: dict[str, tuple[str, Plant, tuple[str, str, str]]] = {
    "nan_on_both_sides": (
        "softmax",
        changed("float64/forward_eval/dense_1", first_entry(np.nan)),
        ("float64", "forward_eval", "dense_1"),
    ),
    "infinity_on_both_sides": (
        "softmax",
        changed("float64/steps/losses", first_entry(np.inf)),
        ("float64", "steps", "losses"),
    ),
    "missing_on_both_sides": (
        "rnn",
        lambda planted: planted.tensors.pop("float64/gradients/rnn_1/kernel"),
        ("float64", "gradients", "rnn_1/kernel"),
    ),
    "frozen_on_both_sides": (
        "softmax",
        dropped("logits/kernel"),
        ("float64", "parameters", "logits/kernel"),
    ),
}
"""The same, planted into both records."""


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
        assert "not finite" in first.note
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
    assert [entry["parameter"] for entry in model["null_gradients"]] == ["conv_1/bias"]


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
