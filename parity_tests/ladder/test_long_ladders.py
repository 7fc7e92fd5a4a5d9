"""Rounding errors grow over many steps: a hundred steps of clean pairs are still the same."""

from __future__ import annotations

import pytest

from parity.numerics import tolerance
from parity_tests.support import cases
from parity_tests.support.comparisons import Comparisons
from parity_tests.support.selection import first_of_each

pytestmark = pytest.mark.flavour

STEPS = 100

LONG = [
    ("rnn", "simple-1-uni-fixed", "sgd", 0.5),  # chaotic, in float64 too
    ("rnn", "simple-1-uni-fixed", "momentum", 0.5),
    ("softmax", "hidden_32_16-logits", "adam", 1e-3),
    ("cnn", "bn-c1-k3-s1-n8", "sgd", 0.1),
    ("cnn", "bn-c1-k3-s1-n8", "adam", 1e-3),
]


@pytest.mark.parametrize(
    ("family", "variant", "optimizer", "rate"), first_of_each(LONG, lambda *row: "long")
)
def test_a_long_ladder_is_the_same(
    family: str, variant: str, optimizer: str, rate: float, flavour: str, comparisons: Comparisons
) -> None:
    """A hundred steps in float64, compared with what one ulp changes in each framework."""
    fields = {"learning_rate": rate}
    spec = cases.spec_of(family, variant, optimizer, flavour=flavour, optimizer_fields=fields)
    comparison = comparisons.of(spec, STEPS)
    assert comparison.failed() == []
    first = [c for name, c in comparison.of("steps").items() if name.startswith("10/weights")]
    limit = tolerance.FLOAT64["steps"].limit
    assert all(check.allowed < 100 * limit for check in first), "ten steps are no long ladder"
