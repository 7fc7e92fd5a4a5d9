"""Each kind of layer is captured, aligned, and computed by its NumPy reference."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from typing import Any

import numpy as np
import pytest
import torch

from keras_impl.capture.side import KerasSide
from parity.constants import as_float32
from parity.numerics.distance import relative_error
from parity.numerics.tolerance import FLOAT64
from parity.pairs.check import check
from parity.pairs.forward import setup
from parity.reference.layers.evaluate import computed
from parity_tests.pairs.zoo import kinds
from parity_tests.pairs.zoo.building import Kind, filled
from parity_tests.support.selection import first_of_each
from torch_impl.capture.side import TorchSide

pytestmark = pytest.mark.flavour
LIMIT = FLOAT64["forward_eval"].limit
ROUNDED = 2.0**-23
"""The relative error that a constant rounded to float32 may cause."""


@pytest.fixture(params=kinds.ALL, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest, flavour: str) -> Kind:
    if flavour not in request.param.flavours:
        pytest.skip(f"{flavour} has no such layer")
    torch.manual_seed(0)
    return request.param


def builder(kind: Kind, flavour: str) -> Any:
    """A function that builds the Keras model with random weights."""
    keras = importlib.import_module({"tf_keras": "tf_keras", "keras3": "keras"}[flavour])
    return functools.partial(lambda: filled(kind.keras(keras)))


@pytest.mark.parametrize(
    "kind",
    first_of_each(zip(kinds.ALL), lambda kind: kind.name.split(".")[0], ids=lambda kind: kind.name),
    indirect=True,
)
def test_faithful_pair_is_the_same(
    kind: Kind, flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A faithful pair is SAME, and every layer is found and compared with its partner."""
    inputs = kind.inputs()
    own = kind.own(*inputs) if kind.own else None
    monkeypatch.setattr(setup, "refuse_empty", lambda *_: None)  # a layer may have no weights
    report = check(builder(kind, flavour), kind.torch(), inputs, torch_inputs=own)
    assert report.verdict == "same", report
    assert len(report.compared) == kind.pairs, report.compared
    for layer in () if kind.apart else report.compared:
        assert layer.observed is not None, layer
        assert layer.observed <= (ROUNDED if kind.rounded else LIMIT), layer
    alone = {one.split("(")[-1].strip(")") for one in (*report.keras_only, *report.torch_only)}
    assert alone == set(kind.alone), report
    assert not report.latent, report.latent
    assert kind.unknown or all(one.known for one in report.compared), report.compared
    assert bool(report.notes) == kind.rounded, report.notes


@pytest.mark.parametrize("side", ["keras", pytest.param("torch", marks=pytest.mark.full("keras3"))])
def test_configuration_is_what_the_layer_does(kind: Kind, flavour: str, side: str) -> None:
    """The reference and a replay reproduce the output of the captured layer."""
    inputs = kind.inputs()
    if side == "keras":
        opened: Any = KerasSide(builder(kind, flavour), "float64")
        run = opened.run(inputs)
    else:
        opened = TorchSide(kind.torch(), "float64")
        run = opened.run(inputs, kind.own(*inputs) if kind.own else None)
    assert run.calls or not kind.pairs
    unknown = {call.kind for call in run.calls if call.config is None}
    assert unknown <= set(kind.unknown), unknown
    for call in run.calls:
        assert relative_error(call.output, opened.replay(call.number, call.inputs)) <= LIMIT, (
            call.name
        )
        if call.config is not None:
            told = flavour if side == "keras" else "torch"
            config = call.config
            if side == "keras" and getattr(config, "negative_slope", 0.0):
                slope = as_float32(config.negative_slope)  # as Keras has it
                config = dataclasses.replace(config, negative_slope=slope)
            own = computed(config, call.weights, call.inputs, call.options, told)
            assert own.shape == call.output.shape, (call.name, config)
            assert relative_error(call.output, own) <= LIMIT, (call.name, config)
    assert all(np.isfinite(one).all() for one in run.outputs.values())
