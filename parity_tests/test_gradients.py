"""The gradients of the loss are the same in both frameworks."""

from __future__ import annotations

import pytest

from parity_tests.support.comparisons import Comparison

pytestmark = pytest.mark.flavour


def test_every_gradient_is_the_same(comparison: Comparison) -> None:
    """With respect to every trainable parameter and every layer's output, in float64.

    A parameter whose true gradient is zero has rounding alone, which is checked to be that.
    """
    model = comparison.spec.model
    parameters = {row.name for row in model.parameters() if row.trainable}
    outputs = {f"{layer.name}/output" for layer in model.layers()}
    compared = {*comparison.of("gradients"), *comparison.null_gradients}
    assert compared >= parameters | outputs
    assert comparison.failed("gradients") == []
