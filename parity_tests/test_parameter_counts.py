"""Both frameworks build the parameters that the model's spec lists."""

from __future__ import annotations

import pytest

from parity.adapters.backend import Backend
from parity_tests.support import records
from parity_tests.support.comparisons import Comparison

pytestmark = pytest.mark.flavour


@pytest.mark.parametrize("framework", ["keras_backend", "torch_backend"])
def test_the_framework_counts_the_parameters_of_the_spec(
    framework: str, comparison: Comparison, request: pytest.FixtureRequest
) -> None:
    """Names, shapes, which are trainable, and the framework's own counts, also by layer."""
    backend: Backend = request.getfixturevalue(framework)
    spec = comparison.spec
    model = backend.create(spec, "float32")
    rows = spec.model.parameters()
    assert {name: value.shape for name, value in model.weights().items()} == {
        row.name: row.shape for row in rows
    }
    assert model.trainable() == {row.name for row in rows if row.trainable}
    assert model.counts() == records.counts(spec)


def test_both_frameworks_start_from_the_same_values(comparison: Comparison) -> None:
    """Every parameter holds the same numbers before training."""
    names = {row.name for row in comparison.spec.model.parameters()}
    assert comparison.of("parameters").keys() >= names
    assert comparison.failed("parameters") == []
