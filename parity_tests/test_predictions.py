"""The trained models predict the same in both frameworks."""

from __future__ import annotations

import pytest

from parity_tests.support.comparisons import Comparison

pytestmark = pytest.mark.flavour


def test_the_trained_models_predict_the_same(comparison: Comparison) -> None:
    """Outputs, labels, accuracy and loss on the test examples after ten steps, in float64."""
    predicted = {"outputs", "labels", "accuracy", "loss"}
    assert comparison.of("predictions").keys() >= predicted
    assert comparison.failed("predictions") == []
