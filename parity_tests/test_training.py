"""Training changes the weights in the same way in both frameworks."""

from __future__ import annotations

import pytest

from parity_tests.support.comparisons import Comparison

pytestmark = pytest.mark.flavour


@pytest.mark.parametrize("rung", ["step", "steps"])
def test_the_weights_are_the_same_after_training(rung: str, comparison: Comparison) -> None:
    """After one step of the optimizer and after ten, in float64: its state and the weights too.

    BatchNorm's running mean and variance are among the weights.
    """
    weights = {f"weights/{row.name}" for row in comparison.spec.model.parameters()}
    exempt = {f"weights/{name}" for name in comparison.null_gradients}
    assert comparison.of(rung).keys() >= weights - exempt
    assert comparison.failed(rung) == []
