"""Both frameworks compute the metrics of ``evaluate --metrics`` as NumPy does."""

from __future__ import annotations

import pytest

from parity.adapters.backend import Backend
from parity.reference.metrics.table import METRICS
from parity_tests.support.scores import Returned, differs, half_trained, reference

pytestmark = pytest.mark.flavour

VARIANTS = ("logits", "probabilities", "binary", "binary_probabilities")


@pytest.fixture(scope="module")
def returned(flavour: str, keras_backend: Backend, torch_backend: Backend) -> dict[str, Returned]:
    return {
        variant: half_trained(variant, flavour, keras_backend, torch_backend)
        for variant in VARIANTS
    }


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", METRICS)
def test_scores_follow_their_definition(
    name: str,
    variant: str,
    returned: dict[str, Returned],
    keras_backend: Backend,
    torch_backend: Backend,
) -> None:
    """Of the same weights both frameworks say the same, and so does NumPy."""
    of = returned[variant]
    if name == "top_k" and of.spec.model.head == "sigmoid":
        pytest.skip("refused, see test_metrics_that_do_not_apply")
    expected = reference(name, of.spec.model, of.outputs["keras"], of.y)
    assert expected.ndim == 2 or 0.2 < expected < 0.999, "too easy to tell anything"
    for backend in (keras_backend, torch_backend):
        assert not differs(backend, name, of, expected), backend.name
