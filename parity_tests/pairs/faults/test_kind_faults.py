"""One fault in a pair of few layers: its cause is named, proven, and nothing else."""

from __future__ import annotations

import importlib

import pytest
import torch

from parity.numerics.tolerance import FLOAT64
from parity.pairs.check import check
from parity.pairs.forward import setup
from parity_tests.pairs.faults.kind_faults import WRONG, Wrong
from parity_tests.pairs.zoo.building import filled

pytestmark = pytest.mark.flavour


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.pair.name)
def test_the_cause_is_named(wrong: Wrong, flavour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The id, with a proof that leaves rounding, and no other."""
    if flavour not in wrong.pair.flavours:
        pytest.skip(f"{flavour} has no such layer")
    torch.manual_seed(0)
    keras = importlib.import_module({"tf_keras": "tf_keras", "keras3": "keras"}[flavour])
    monkeypatch.setattr(setup, "refuse_empty", lambda *_: None)
    inputs = wrong.pair.inputs()
    own = wrong.pair.own(*inputs) if wrong.pair.own else None
    report = check(
        lambda: filled(wrong.pair.keras(keras)), wrong.pair.torch(), inputs, torch_inputs=own
    )
    assert report.verdict == "different"
    assert [cause.id for cause in report.causes] == [wrong.cause], str(report)
    for cause in report.causes:
        assert cause.proof is not None
        assert cause.proof.after <= FLOAT64["forward_eval"].limit < cause.proof.before
