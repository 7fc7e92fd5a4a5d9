"""A gradient that is zero but for rounding is reported and not judged, and hides nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from parity_tests.support.records import Pair
from parity_tests.verdict.test_compare import places


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
