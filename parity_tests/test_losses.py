"""The loss of a batch is the same in both frameworks, penalties included."""

from __future__ import annotations

import pytest

from parity_tests.support.comparisons import Comparison

pytestmark = pytest.mark.flavour


def test_the_loss_is_the_same(comparison: Comparison) -> None:
    """Of the same outputs and labels, in float64."""
    assert comparison.of("loss").keys() == {"loss"}
    assert comparison.failed("loss") == []
