"""Two records are compared rung by rung; the first divergence is the one that is computed first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parity import rungs
from parity.errors import ParityError
from parity.ladder import record
from parity.rungs import RUNGS
from parity.verdict import compare
from parity.verdict.compare import Comparison
from parity.verdict.result import Check
from parity_tests.support import records
from parity_tests.support.records import Pair

KERNEL = "dense_1/kernel"


F32_ULP = 2.0**-23


def places(comparison: Comparison) -> list[tuple[str, str, str]]:
    return [(check.dtype, check.rung, check.tensor) for check in comparison.failed]


def test_equal_records_are_the_same(pair: Pair) -> None:
    """Every rung is checked in both dtypes, and nothing fails."""
    with pair.compared() as comparison:
        assert comparison.same
        assert comparison.first is None
        checked = {(check.dtype, check.rung) for check in comparison.checks}
        assert checked == {(dtype, rung) for dtype in ("float64", "float32") for rung in RUNGS}


@pytest.mark.parametrize("swapped", [False, True])
def test_keras_is_the_reference_in_either_order(pair: Pair, swapped: bool) -> None:
    """The order of the arguments changes nothing."""
    with pair.compared(swapped) as comparison:
        assert comparison.sides == ("keras", "torch")


def test_two_records_of_one_backend_are_told_apart(pair: Pair) -> None:
    """Two runs of one framework can be compared; the report names them first and second."""
    pair.set_header("torch", backend="keras")
    with pair.compared() as comparison:
        assert comparison.sides == ("keras (first)", "keras (second)")


def test_first_divergence_follows_the_layers(pair: Pair) -> None:
    """Forward, the layer nearest the input is named first, whatever its name."""
    for layer in ("logits", "dense_activation_1", "flatten", "dense_1"):
        pair.torch[f"float64/forward_eval/{layer}"][0, 0] += 1
    with pair.compared() as comparison:
        assert [check.tensor for check in comparison.failed] == [
            "flatten",
            "dense_1",
            "dense_activation_1",
            "logits",
        ]
        assert comparison.first == comparison.failed[0]


def test_first_divergence_of_gradients_comes_from_the_loss_back(pair: Pair) -> None:
    """Backward, the layer nearest the loss is named first."""
    for name in ("dense_1/bias", "dense_1/kernel", "logits/bias", "logits/kernel"):
        pair.torch[f"float64/gradients/{name}"].flat[0] += 1
    with pair.compared() as comparison:
        assert [check.tensor for check in comparison.failed] == [
            "logits/bias",
            "logits/kernel",
            "dense_1/bias",
            "dense_1/kernel",
        ]


def test_first_divergence_follows_the_rungs(pair: Pair) -> None:
    """A fault that shows on every rung is named on the first."""
    for rung, tensor in (("predictions", "outputs"), ("steps", "losses"), ("loss", "loss")):
        pair.torch[rungs.join("float64", rung, tensor)].flat[0] += 1
    with pair.compared() as comparison:
        assert [check.rung for check in comparison.failed] == ["loss", "steps", "predictions"]


def test_outputs_come_before_what_is_made_of_them(pair: Pair) -> None:
    """Of the predictions, the outputs are named first."""
    for tensor in ("accuracy", "labels", "loss", "outputs"):
        pair.torch[f"float64/predictions/{tensor}"].flat[0] += 1
    with pair.compared() as comparison:
        assert comparison.first
        assert comparison.first.tensor == "outputs"


def test_float64_decides_what_is_named_first(pair: Pair) -> None:
    """A failure of float32 on an early rung does not hide where float64 parts."""
    pair.torch["float32/forward_eval/dense_1"] *= np.float32(1.5)
    pair.torch["float64/gradients/logits/bias"][0] += 1
    with pair.compared() as comparison:
        assert comparison.failed[0].dtype == "float32"
        assert comparison.first
        assert (comparison.first.dtype, comparison.first.rung) == ("float64", "gradients")


def test_a_tensor_that_both_lack_is_missed(pair: Pair) -> None:
    """What the spec calls for must be there, even if neither record has it."""
    for values in (pair.keras, pair.torch):
        del values["float64/gradients/logits/bias"]
    with pair.compared() as comparison:
        assert places(comparison) == [("float64", "gradients", "logits/bias")]
        assert "keras lacks it, torch lacks it" in " ".join(comparison.failed[0].notes)


def test_a_tensor_that_both_have_beyond_the_spec_is_seen(pair: Pair) -> None:
    """An extra tensor is a difference from the spec, even where both have it."""
    for values in (pair.keras, pair.torch):
        values["float64/gradients/extra/bias"] = np.ones(3)
    with pair.compared() as comparison:
        assert places(comparison) == [("float64", "gradients", "extra/bias")]


def test_a_rung_without_entries_is_no_agreement(pair: Pair) -> None:
    """Predictions on no example at all say nothing."""
    for values in (pair.keras, pair.torch):
        values["float64/predictions/outputs"] = np.zeros((0, 3))
    with pair.compared() as comparison:
        assert places(comparison) == [("float64", "predictions", "outputs")]


def test_float32_stored_in_the_place_of_float64_is_seen(pair: Pair) -> None:
    """A float64 rung recorded in float32 on both sides decides nothing."""
    name = "float64/forward_eval/logits"
    for values in (pair.keras, pair.torch):
        values[name] = values[name].astype(np.float32)
    with pair.compared() as comparison:
        assert places(comparison) == [("float64", "forward_eval", "logits")]
        assert "F32" in " ".join(comparison.failed[0].notes)
        assert "F64" in " ".join(comparison.failed[0].notes)


def test_trainable_flags_are_held_against_the_table(pair: Pair) -> None:
    """A flag that one side lacks fails by name."""
    pair.set_header("torch", trainable=("dense_1/bias", "logits/bias", "logits/kernel"))
    with pair.compared() as comparison:
        assert [check.tensor for check in comparison.failed] == [KERNEL]
        assert "torch does not train it" in " ".join(comparison.failed[0].notes)


@pytest.mark.parametrize(
    ("kind", "tensor", "expected"),
    [
        ("total", "parameters in all", 35),
        ("trainable", "trainable parameters in all", 35),
        ("dense_1", "dense_1/trainable parameters", 20),
    ],
)
def test_counts_are_held_against_the_table(
    pair: Pair, kind: str, tensor: str, expected: int
) -> None:
    """The framework's own count sees a parameter that no canonical name covers, once per side."""
    for backend in ("keras", "torch"):
        counts = pair.headers[backend].counts
        pair.set_header(backend, counts={**counts, kind: counts[kind] + 4})
    with pair.compared() as comparison:
        assert places(comparison) == [
            ("float64", "parameters", f"{tensor} ({side})") for side in ("keras", "torch")
        ]
        assert comparison.failed[0].observed == 4
        assert f"against the spec's {expected}" in " ".join(comparison.failed[0].notes)


def test_a_count_that_is_missing_is_no_agreement(pair: Pair) -> None:
    """A header without a count does not pass for one that has it."""
    pair.set_header("torch", counts={})
    with pair.compared() as comparison:
        assert {check.tensor for check in comparison.failed} == {
            "parameters in all (torch)",
            "trainable parameters in all (torch)",
            "dense_1/trainable parameters (torch)",
            "logits/trainable parameters (torch)",
        }


def test_trainable_flags_wrong_on_both_sides_are_seen(pair: Pair) -> None:
    """Agreement of the two records is not enough: the spec's table counts."""
    for backend in ("keras", "torch"):
        pair.set_header(backend, trainable=(KERNEL,))
    with pair.compared() as comparison:
        assert not comparison.same


def test_labels_are_counted(pair: Pair) -> None:
    """Every differing label counts as one, and none is allowed."""
    labels = pair.torch["float64/predictions/labels"]
    labels[:2] = (labels[:2] + 1) % 3
    with pair.compared() as comparison:
        (check,) = comparison.failed
        assert (check.observed, check.allowed, check.tensor) == (2, 0.0, "labels")


def test_unequal_runs_are_refused(tmp_path: Path) -> None:
    """Records of different specs are not compared; the error names what differs."""
    pair = Pair(tmp_path, records.spec())
    pair.set_header("torch", steps=11)
    a, b = pair.write()
    with (
        record.read(a) as x,
        record.read(b) as y,
        pytest.raises(ParityError, match=r"steps \(10 against 11\)"),
    ):
        compare.compare(x, y)


def test_training_records_are_refused(tmp_path: Path) -> None:
    """A training record is no ladder."""
    pair = Pair(tmp_path, records.spec())
    pair.set_header("torch", kind="training")
    a, b = pair.write()
    with (
        record.read(a) as x,
        record.read(b) as y,
        pytest.raises(ParityError, match="received 'training', accepted: 'ladder'"),
    ):
        compare.compare(x, y)


@pytest.mark.parametrize(
    ("observed", "allowed", "ok", "severity"),
    [
        (0.0, 0.0, True, 0.0),
        (1e-13, 1e-12, True, 0.1),
        (1e-11, 1e-12, False, 10.0),
        (1.0, 0.0, False, np.inf),
        (np.nan, 1.0, False, np.inf),
        (np.inf, np.inf, False, np.inf),
        (0.0, np.nan, False, 0.0),
    ],
)
def test_check_arithmetic(observed: float, allowed: float, ok: bool, severity: float) -> None:
    """A check passes only by a number within a finite limit."""
    check = Check("float64", "loss", "loss", observed, allowed)
    assert check.ok is ok
    assert check.severity == pytest.approx(severity)
