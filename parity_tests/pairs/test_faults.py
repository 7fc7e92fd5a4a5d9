"""A check reports faithful pairs as the same, and every fault with its place and its cause."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from parity.numerics import tolerance
from parity.pairs.check import check
from parity.pairs.forward import setup
from parity.progress import Progress
from parity.reference.catalogue import CATALOGUE, MISTAKES
from parity_tests.pairs.faults import FAULTS
from parity_tests.pairs.zoo.models import PAIRS, fill
from parity_tests.support.fault import Fault, Pair
from parity_tests.support.selection import first_of_each

pytestmark = pytest.mark.flavour

FAITHFUL = [name for name in PAIRS if name != "gru, reset before"]

AT_LEAST = 0.95
"""Share of the faults with a cause in the catalogue whose cause must be reported."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every fault that this Keras version can have."""
    flavour = metafunc.config.getoption("--flavour")
    if "fault" in metafunc.fixturenames:
        faults = first_of_each(
            [(fault,) for fault in FAULTS if flavour in fault.models.flavours],
            lambda fault: fault.name,
            lambda fault: fault.name.split(".")[0],
            lambda fault: fault.name,
        )
        metafunc.parametrize("fault", faults)


@pytest.mark.parametrize("name", FAITHFUL)
def test_a_faithful_pair_is_the_same(name: str, keras: Any) -> None:
    """No divergence, no cause, and every Keras layer has its partner."""
    pair = PAIRS[name]
    report = check(fill(pair.keras(keras)), pair.torch(), pair.inputs())
    assert report.verdict == "same", str(report)
    assert report.causes == ()
    assert report.first_divergence is None
    assert report.keras_only == ()


def test_most_faults_can_be_named() -> None:
    """Every fault has a name of its own, and a cause or the reason why there is none."""
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    entries = {*CATALOGUE, *MISTAKES}
    assert all(fault.entry in {"", *entries} for fault in FAULTS)
    listed = [one for one in FAULTS if one.causes or {one.name, one.entry} & entries]
    assert sum(bool(one.causes) for one in listed) / len(listed) >= AT_LEAST
    assert all(bool(one.unnamed) != bool(one.causes) for one in FAULTS)


def test_a_fault_is_found_at_its_place_with_its_cause(
    fault: Fault[Pair],
    keras: Any,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    """The verdict, the rung, the layer, the cause with its proof; no other cause."""
    monkeypatch.setattr(setup, "refuse_empty", lambda *_: None)  # a layer may have no weights
    model, module = fault.models.keras(keras), fault.models.torch()
    inputs, options = fault.models.inputs(), fault.models.options(keras)
    if fault.inject:
        module = ported(model, module, inputs)
        fault.inject(module)
        options["weights"] = "as-is"
    report = check(model, module, inputs, **options)
    first = report.first_divergence
    known = {one.id for one in report.causes} - {"unknown"}
    layers = {one.layer for one in report.causes}
    if fault.unnamed and first:
        layers.add(first.keras_layer)
    outcome = {
        "detected": report.verdict == "different",
        "rung": bool(first and first.rung == fault.rung),
        "layer": not fault.layer or fault.layer in layers,
        "named": not fault.unnamed and known == {*fault.causes},
        "wrong": bool(known - {*fault.causes}),
    }
    record_property("pair fault", {"name": fault.name, "nameable": not fault.unnamed, **outcome})
    expected = {**dict.fromkeys(outcome, True), "named": not fault.unnamed, "wrong": False}
    assert outcome == expected, f"{fault.causes}\n{report}"
    if not fault.unnamed:
        assert len(layers) <= len(fault.causes), "one place, or one for each cause"
        for one in report.causes:
            rung = "forward_eval" if one.rung == "parameters" else one.rung
            assert one.proof.after <= tolerance.FLOAT64[rung].limit < one.proof.before


def ported(model: Any, module: Any, inputs: Any) -> Any:
    """The PyTorch module with Keras's weights, in float64 as in the check."""
    arrays = inputs if isinstance(inputs, list) else [inputs]
    models = setup.Models(model, copy.deepcopy(module), arrays, None, "keras", {})
    with Progress("models", setup.STAGES) as progress:
        return setup.prepare(models, "float64", progress).torch.model
