"""The comparison of two records: its rules, on made-up records, without a framework."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parity import rungs
from parity.errors import ParityError
from parity.ladder import record
from parity.rungs import RUNGS
from parity.verdict import compare
from parity.verdict.checks import Check
from parity.verdict.compare import Comparison
from parity_tests.support import records
from parity_tests.support.records import Pair

KERNEL = "dense_1/kernel"
F32_ULP = 2.0**-23


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, records.spec())


@pytest.fixture
def batch_norm(tmp_path: Path) -> Pair:
    """A model whose conv bias has a null gradient."""
    pair = Pair(tmp_path, records.spec("cnn"))
    for backend, values in (("keras", pair.keras), ("torch", pair.torch)):
        size = 1e-14 if backend == "keras" else 3e-14
        values["float64/gradients/conv_1/bias"] = np.array([size, 0.0, -size / 2])
        values["float32/gradients/conv_1/bias"] = np.full(3, 1e8 * size, "f4")
        pair.set_header(backend, null_gradients={"conv_1/bias": size})
    return pair


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
        assert "keras lacks it, torch lacks it" in comparison.failed[0].note


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
        assert "F32" in comparison.failed[0].note
        assert "F64" in comparison.failed[0].note


def test_trainable_flags_are_held_against_the_table(pair: Pair) -> None:
    """A flag that one side lacks fails by name."""
    pair.set_header("torch", trainable=("dense_1/bias", "logits/bias", "logits/kernel"))
    with pair.compared() as comparison:
        assert [check.tensor for check in comparison.failed] == [KERNEL]
        assert "torch does not train it" in comparison.failed[0].note


@pytest.mark.parametrize(
    ("kind", "tensor", "ought_to"),
    [
        ("total", "parameters in all", 35),
        ("trainable", "trainable parameters in all", 35),
        ("dense_1", "dense_1/trainable parameters", 20),
    ],
)
def test_counts_are_held_against_the_table(
    pair: Pair, kind: str, tensor: str, ought_to: int
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
        assert f"against the spec's {ought_to}" in comparison.failed[0].note


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


def test_null_gradients_are_reported_not_judged(batch_norm: Pair) -> None:
    """Rounding in a gradient that is zero on both sides is no difference."""
    with batch_norm.compared() as comparison:
        assert comparison.same
        (null,) = comparison.null_gradients
        assert (null.parameter, null.largest) == ("conv_1/bias", (1e-14, 3e-14))


def test_a_null_gradient_of_one_side_is_judged(batch_norm: Pair) -> None:
    """Where only one backend calls a gradient null, it counts, and the report says so."""
    batch_norm.set_header("torch", null_gradients={})
    with batch_norm.compared() as comparison:
        assert ("float64", "gradients", "conv_1/bias") in places(comparison)
        assert not comparison.null_gradients
        assert any("null gradient for keras alone" in note for note in comparison.notes)


@pytest.mark.parametrize("side", ["keras", "torch"])
def test_a_null_gradient_may_sum_to_zero_on_one_side(batch_norm: Pair, side: str) -> None:
    """Rounding that cancels to exact zeros is as null as the other side's, though it is unnamed."""
    values = {"keras": batch_norm.keras, "torch": batch_norm.torch}[side]
    values["float64/gradients/conv_1/bias"][:] = 0.0
    batch_norm.set_header(side, null_gradients={})
    with batch_norm.compared() as comparison:
        assert comparison.same
        (null,) = comparison.null_gradients
        assert null.largest[("keras", "torch").index(side)] == 0.0
        assert not comparison.notes


def test_exact_zeros_on_both_sides_are_judged(batch_norm: Pair) -> None:
    """Zero agrees with zero like any number, and nothing is left out."""
    for side, values in (("keras", batch_norm.keras), ("torch", batch_norm.torch)):
        batch_norm.set_header(side, null_gradients={})
        for dtype in ("float64", "float32"):
            values[f"{dtype}/gradients/conv_1/bias"][:] = 0.0
    with batch_norm.compared() as comparison:
        assert comparison.same
        assert not comparison.null_gradients
        checked = {(check.dtype, check.rung, check.tensor) for check in comparison.checks}
        assert ("float64", "gradients", "conv_1/bias") in checked


@pytest.mark.parametrize("value", [1e-3, np.nan, np.inf])
def test_a_null_gradient_must_be_null_in_the_record(batch_norm: Pair, value: float) -> None:
    """The headers' word is not taken for it: the recorded gradient must be rounding alone."""
    batch_norm.torch["float64/gradients/conv_1/bias"][1] = value
    with batch_norm.compared() as comparison:
        first = comparison.first
        assert first
        assert (first.rung, first.tensor) == ("gradients", "conv_1/bias")
        assert not comparison.null_gradients


def test_a_null_gradient_hides_no_nan_in_float32(batch_norm: Pair) -> None:
    """Not judged does not mean not looked at."""
    batch_norm.torch["float32/gradients/conv_1/bias"][0] = np.nan
    with batch_norm.compared() as comparison:
        assert ("float32", "gradients", "conv_1/bias") in places(comparison)


@pytest.mark.parametrize("side", ["keras", "torch"])
@pytest.mark.parametrize("size", [1e6, 1e-2])
def test_a_null_gradient_is_small_in_float32_too(batch_norm: Pair, side: str, size: float) -> None:
    """Beyond its rounding it is held against the ensembles, which do not explain it here."""
    values = {"keras": batch_norm.keras, "torch": batch_norm.torch}[side]
    values["float32/gradients/conv_1/bias"][1] = size
    with batch_norm.compared() as comparison:
        assert places(comparison) == [("float32", "gradients", "conv_1/bias")]
        assert comparison.failed[0].side == side


def test_a_null_gradient_that_the_ensemble_moves_passes_in_float32(batch_norm: Pair) -> None:
    """Where rounding alone makes it large, it is no difference, and float64 still finds it null."""
    name = "float32/gradients/conv_1/bias"
    batch_norm.torch[name][1] = 1e-2
    batch_norm.set_header("torch", rounding={name: 5e-3})
    with batch_norm.compared() as comparison:
        assert comparison.same
        assert [null.parameter for null in comparison.null_gradients] == ["conv_1/bias"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["keras", "torch"])
def test_no_float32_tensor_hides_what_is_not_finite(pair: Pair, side: str, value: float) -> None:
    """Float32 does not judge the accuracy by its size, but a NaN there is a difference."""
    values = {"keras": pair.keras, "torch": pair.torch}[side]
    values["float32/predictions/accuracy"][()] = value
    with pair.compared() as comparison:
        assert places(comparison) == [("float32", "predictions", "accuracy")]
        assert "not finite" in comparison.failed[0].note


def test_float32_may_drift_as_far_as_the_ensemble(pair: Pair) -> None:
    """The limit is four times what an ensemble of the same backend moves by."""
    name = "float32/steps/weights/dense_1/kernel"
    pair.torch[name] *= np.float32(1 + 64 * F32_ULP)
    drift = float(np.sqrt(np.mean((pair.torch[name] - pair.keras[name]).astype("f8") ** 2)))
    with pair.compared() as comparison:
        assert places(comparison) == [("float32", "steps", "weights/dense_1/kernel")]
        assert comparison.first
        assert comparison.first.reference_dtype == "float64"
    pair.folder /= "excused"
    for share, same in ((3.9, True), (4.1, False)):
        pair.folder = pair.folder.with_name(f"excused by {share}")
        pair.set_header("torch", rounding={name: drift / share})
        with pair.compared() as comparison:
            assert comparison.same == same


@pytest.mark.parametrize(
    ("parameter", "sibling", "same"),
    [
        ("dense_1/bias", "step/weights/dense_1/kernel", True),  # four entries, an earlier step
        ("dense_1/bias", "steps/weights/logits/kernel", True),
        ("dense_1/bias", "step/slots/m/dense_1/kernel", False),  # not of its kind
        ("dense_1/kernel", "steps/weights/logits/kernel", False),  # sixteen entries
    ],
)
def test_few_entries_take_the_widest_spread_of_their_kind(
    pair: Pair, parameter: str, sibling: str, same: bool
) -> None:
    """A bias of four entries whose own spread is small by chance; a larger tensor has its own."""
    name, wide = f"float32/steps/weights/{parameter}", f"float32/{sibling}"
    pair.torch[name] *= np.float32(1 + 64 * F32_ULP)
    moved = 64 * F32_ULP * float(np.abs(pair.keras[wide]).max())
    pair.set_header("torch", rounding={name: 1e-9, wide: moved})
    with pair.compared() as comparison:
        assert comparison.same == same


@pytest.mark.parametrize("spread", [np.inf, np.nan, -1.0])
def test_an_ensemble_that_is_not_finite_excuses_nothing(pair: Pair, spread: float) -> None:
    """An infinite spread must not become an infinite limit."""
    name = "float32/steps/weights/dense_1/kernel"
    pair.set_header("torch", rounding={name: spread})
    with pair.compared() as comparison:
        assert places(comparison) == [("float32", "steps", "weights/dense_1/kernel")]
        assert "ensemble" in comparison.failed[0].note


def test_the_reference_cannot_excuse_itself(pair: Pair) -> None:
    """A NaN in the reference's own float32 is a failure, not an infinite limit for the other."""
    pair.keras["float32/gradients/logits/bias"][2] = np.nan
    with pair.compared() as comparison:
        assert places(comparison) == [("float32", "gradients", "logits/bias")]
        assert comparison.failed[0].observed == np.inf
        assert "keras" in comparison.failed[0].note
        assert comparison.failed[0].index == (2,)


def test_the_reference_float32_is_judged_too(pair: Pair) -> None:
    """Keras's float32 must not stand away from its own float64 while torch's does not."""
    pair.keras["float32/gradients/logits/bias"] *= np.float32(1.01)
    with pair.compared() as comparison:
        assert places(comparison) == [("float32", "gradients", "logits/bias")]
        assert comparison.failed[0].side == "keras"


def test_float32_errors_that_both_share_are_rounding(pair: Pair) -> None:
    """What both frameworks' float32 do alike, against float64, excuses them both."""
    for values in (pair.keras, pair.torch):
        values["float32/gradients/logits/bias"] *= np.float32(1.01)
    with pair.compared() as comparison:
        assert comparison.same


def test_float32_limits_that_say_nothing_are_named(pair: Pair) -> None:
    """A limit of a tenth of the tensor or more passes nearly everything, and is shown."""
    pair.set_header("torch", rounding={"float32/predictions/outputs": 1.0})
    with pair.compared() as comparison:
        assert [check.tensor for check in comparison.blind] == ["outputs"]


def test_without_float64_the_verdict_is_weaker(tmp_path: Path) -> None:
    """Records of float32 alone are compared directly, and the comparison knows it."""
    pair = Pair(tmp_path, records.spec(), ("float32",))
    with pair.compared() as comparison:
        assert comparison.same
        assert not comparison.decisive
    pair.folder /= "spoilt"
    pair.torch["float32/gradients/logits/bias"][0] *= np.float32(1.01)
    with pair.compared() as comparison:
        assert places(comparison) == [("float32", "gradients", "logits/bias")]
        assert comparison.first
        assert comparison.first.reference_dtype == "float32"


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
