"""Weights of other names, shapes or owners are transferred where one assignment is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from parity.pairs.check import check
from parity_tests.pairs.transfer.ports import PORTS, STEPS, Net, layer_of
from parity_tests.pairs.zoo.models import fill

pytestmark = pytest.mark.flavour


@pytest.mark.parametrize("name", PORTS)
def test_a_faithful_port_is_the_same_and_trains_alike(name: str, keras: Any) -> None:
    """Outputs, gradients and two steps, of the weights in question as well."""
    port = PORTS[name]
    model = fill(port.keras(keras))
    y = np.random.default_rng(1).normal(size=model(port.x).shape)
    report = check(model, port.torch, port.x, targets=y, loss="mse", optimizer="sgd", steps=2)
    assert report.verdict == "same", str(report)


@pytest.mark.parametrize("weights", ["torch"])
@pytest.mark.parametrize("name", PORTS)
def test_weights_are_transferred_both_ways(name: str, weights: str, keras: Any) -> None:
    """PyTorch's to Keras."""
    port = PORTS[name]
    report = check(fill(port.keras(keras)), port.torch, port.x, weights=weights)
    assert report.verdict == "same", str(report)


@pytest.mark.parametrize("name", PORTS)
def test_a_faulty_port_is_not_the_same(name: str, keras: Any) -> None:
    """Whichever assignment is tried, the models differ, and no cause is made up."""
    port = PORTS[name]
    report = check(fill(port.keras(keras)), port.faulty, port.x)
    assert report.verdict in ("different", "inconclusive"), str(report)
    if report.verdict == "inconclusive":
        assert not report.causes
        assert "was not transferred" in str(report)


def test_a_weight_with_two_possible_counterparts_is_inconclusive(keras: Any) -> None:
    """No assignment makes the outputs equal: both shapes are given, and no cause."""
    own = layer_of(keras, {"a": (8,), "b": (8,)}, lambda self, x: x * self.a + self.b)
    x = keras.Input((5, 8))
    y = keras.layers.Dense(3)(own(name="affine")(keras.layers.Dense(8)(x)))

    def run(net: Any, x: Tensor) -> Tensor:
        return net.q(torch.tanh(net.p(x) * net.c) * net.d)

    port = Net(
        run,
        p=torch.nn.Linear(8, 8),
        q=torch.nn.Linear(8, 3),
        c=torch.randn(8),
        d=torch.randn(8),
    )
    report = check(fill(keras.Model(x, y)), port, STEPS)
    assert report.verdict == "inconclusive", str(report)
    first = str(report).splitlines()[0]
    assert "affine/a (8,)" in first, first
    assert not report.causes
