"""Beyond ten steps drift adds up: long ladders of clean pairs are the same all the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity.adapters.backend import Backend
from parity.ladder import record
from parity.numerics import tolerance
from parity.verdict import compare
from parity_tests.ladder.test_ladder import explain
from parity_tests.support import cases

pytestmark = pytest.mark.flavour

STEPS = 100

LONG = [
    ("softmax", "hidden_32_16-logits", "adam", 1e-3),
    ("cnn", "bn-c1-k3-s1-n8", "sgd", 0.1),
    ("cnn", "bn-c1-k3-s1-n8", "adam", 1e-3),
    ("rnn", "simple-1-uni-fixed", "sgd", 0.5),  # chaotic, in float64 too
    ("rnn", "simple-1-uni-fixed", "momentum", 0.5),
]


@pytest.mark.parametrize(("family", "variant", "optimizer", "rate"), LONG)
def test_a_long_ladder_is_the_same(
    family: str,
    variant: str,
    optimizer: str,
    rate: float,
    flavour: str,
    keras_backend: Backend,
    torch_backend: Backend,
    tmp_path: Path,
) -> None:
    """A hundred steps in float64, held against what one ulp does to each side."""
    fields = {"learning_rate": rate}
    spec = cases.spec_of(family, variant, optimizer, flavour=flavour, optimizer_fields=fields)
    k = cases.record_of(keras_backend, spec, tmp_path / "k", steps=STEPS)
    t = cases.record_of(torch_backend, spec, tmp_path / "t", steps=STEPS)
    with record.read(k) as a, record.read(t) as b:
        comparison = compare.compare(a, b)
        assert comparison.same, explain(comparison)
        first = (check for check in comparison.checks if check.tensor.startswith("10/weights"))
        limit = tolerance.FLOAT64["steps"].limit
        assert all(check.allowed < 100 * limit for check in first), "ten steps are no long ladder"
