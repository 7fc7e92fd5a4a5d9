"""Every layer's output is the same in both frameworks, in evaluation and in training mode."""

from __future__ import annotations

import pytest

from parity_tests.support.comparisons import Comparison

pytestmark = pytest.mark.flavour


@pytest.mark.parametrize("rung", ["forward_eval", "forward_train"])
def test_every_layer_computes_the_same(rung: str, comparison: Comparison) -> None:
    """With the same weights, input and masks, in float64."""
    layers = {layer.name for layer in comparison.spec.model.layers()}
    assert comparison.of(rung).keys() >= layers
    assert comparison.failed(rung) == []
