"""Float32 may differ as far as rounding explains, and no further."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parity_tests.support import records
from parity_tests.support.records import Pair
from parity_tests.verdict.test_compare import F32_ULP, places


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["keras", "torch"])
def test_no_float32_tensor_hides_what_is_not_finite(pair: Pair, side: str, value: float) -> None:
    """Float32 does not judge the accuracy by its size, but a NaN there is a difference."""
    values = {"keras": pair.keras, "torch": pair.torch}[side]
    values["float32/predictions/accuracy"][()] = value
    with pair.compared() as comparison:
        assert places(comparison) == [("float32", "predictions", "accuracy")]
        assert "not finite" in " ".join(comparison.failed[0].notes)


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
        assert "ensemble" in " ".join(comparison.failed[0].notes)


def test_the_reference_cannot_excuse_itself(pair: Pair) -> None:
    """A NaN in the reference's own float32 is a failure, not an infinite limit for the other."""
    pair.keras["float32/gradients/logits/bias"][2] = np.nan
    with pair.compared() as comparison:
        assert places(comparison) == [("float32", "gradients", "logits/bias")]
        assert comparison.failed[0].observed == np.inf
        assert "keras" in " ".join(comparison.failed[0].notes)
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
