"""A check of users' own pairs: faithful ones are the same, faults are found, placed and named."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from parity.pairs.check import check
from parity_tests.pairs.faults.faults import FAULTS
from parity_tests.pairs.zoo.models import PAIRS, fill

pytestmark = pytest.mark.flavour

FAITHFUL = [name for name in PAIRS if name != "gru, reset before"]


@pytest.mark.parametrize("name", FAITHFUL)
def test_a_faithful_pair_is_the_same(name: str, keras: Any) -> None:
    """Nothing parts, and nothing is named."""
    pair = PAIRS[name]
    report = check(fill(pair.keras(keras)), pair.torch(), pair.inputs())
    assert report.verdict == "same", str(report)
    assert report.causes == ()
    assert report.first_divergence is None
    assert report.keras_only == (), "every Keras layer has its partner"


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_placed_and_named(name: str, keras: Any) -> None:
    """The verdict, the layer, the cause with its proof; nothing else is named."""
    fault = FAULTS[name]
    pair = PAIRS[fault.pair]
    model, module = fill(pair.keras(keras)), pair.torch(**fault.changed)
    weights = "keras"
    if fault.weights:
        module, weights = ported(model, module, pair.inputs()), "as-is"
        fault.weights(module)
    report = check(model, module, pair.inputs(), weights=weights)
    assert report.verdict == "different", "found"
    named = {(cause.layer, cause.id) for cause in report.causes}
    assert named == {(fault.layer, fault.cause)}, str(report)
    for cause in report.causes:
        assert cause.proof is not None
        assert cause.proof.after <= 1e-12 < cause.proof.before


def ported(model: Any, module: Any, inputs: Any) -> Any:
    """The PyTorch model with Keras's weights, in float64 as the check has them."""
    from parity.pairs.forward.setup import STAGES, Models, prepare
    from parity.progress import Progress

    arrays = inputs if isinstance(inputs, list) else [inputs]
    models = Models(model, copy.deepcopy(module), arrays, None, "keras", {})
    with Progress("models", STAGES) as progress:
        return prepare(models, "float64", progress).torch.model
