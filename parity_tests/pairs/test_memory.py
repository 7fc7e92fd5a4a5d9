"""What a check holds on to: one array for each tensor, none once compared; and its progress."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from keras_impl.capture.side import KerasSide
from parity import progress, tolerance
from parity.pairs import rounding
from parity.pairs.check import check
from parity.pairs.trainer import Batch
from parity_tests.pairs.models import PAIRS, fill
from torch_impl.capture.side import TorchSide

pytestmark = pytest.mark.flavour

X = np.random.default_rng(0).normal(size=(4, 6))


class InPlace(nn.Module):
    """Writes into what a layer gave, by a function and by an operator."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        """Two layers, each changed afterwards."""
        x = torch.relu_(self.one(x))
        y = self.two(x)
        y += 1.0
        return y


def test_torch_arrays_are_views() -> None:
    """What one layer gives and the next is fed is one array, the tensor's own memory."""
    side = TorchSide(nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)), "float64")
    calls = side.run([X]).calls
    assert np.shares_memory(calls[0].output, calls[1].inputs[0])
    assert np.shares_memory(calls[1].output, calls[2].inputs[0])
    assert not side.copies
    weight = side.model[0].weight.detach().numpy()
    assert np.shares_memory(calls[0].weights["kernel"], weight)


def test_keras_arrays_are_views(keras: Any) -> None:
    """Likewise."""
    layers = [keras.layers.Dense(6), keras.layers.Dense(2)]
    calls = KerasSide(keras.Sequential([keras.Input((6,)), *layers]), "float64").run([X]).calls
    assert np.shares_memory(calls[0].output, calls[1].inputs[0])


def test_what_a_model_writes_into_is_copied() -> None:
    """Outputs and inputs are those of the moment of the call."""
    torch.manual_seed(0)
    side = TorchSide(InPlace(), "float64")
    calls = side.run([X]).calls
    assert side.copies
    assert (calls[0].output < 0.0).any()
    for call in (calls[0], next(one for one in calls if one.name == "two")):
        kernel, bias = call.weights["kernel"], call.weights["bias"]
        assert np.allclose(call.output, call.inputs[0] @ kernel + bias, rtol=0, atol=1e-14)


def test_forgotten_arrays_keep_their_shapes() -> None:
    """Alignment still sees them, and they take no memory."""
    run = TorchSide(nn.Linear(6, 2), "float64").run([X])
    run.forget()
    assert run.calls[0].output.shape == (4, 2)
    assert run.calls[0].output.strides == (0, 0)


class Narrow(nn.Module):
    """Batch norm of values around 1 that hardly differ, by some ``size``."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(6, 3), nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(3, eps=1e-30)
        with torch.no_grad():
            self.one.weight *= size
            self.one.bias.fill_(1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Two layers, with the norm between."""
        return self.two(torch.sigmoid(self.norm(self.one(x))))


@pytest.mark.parametrize(("size", "wider"), [(1.0, False), (1e-5, True), (1e-12, True)])
def test_gradients_may_differ_by_what_rounding_does(size: float, wider: bool) -> None:
    """As much as the model magnifies it, never as much as a fault; the weights end as before."""
    torch.manual_seed(0)
    side = TorchSide(Narrow(size), "float64")
    side.run([X])
    trainer = side.trainer(lambda y, _: (y**2).sum(), None, 0, "tf_keras")
    first = trainer.weights()
    least = tolerance.FLOAT64["gradients"].limit
    allowed = rounding.gradients_allowed(side, trainer, Batch([X], None, [X]), least)
    assert (allowed["one", "kernel"] > least) == wider
    assert least <= max(allowed.values()) <= tolerance.FLOAT64["training"].limit
    after = trainer.weights()
    assert all(np.array_equal(value, after[key]) for key, value in first.items())


def test_progress_is_counted(
    keras: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stages and layers, each to its end; without being asked nothing is said."""
    pair = PAIRS["cnn"]
    models = fill(pair.keras(keras)), pair.torch(), pair.inputs()
    check(*models)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv(progress.LINES, "lines")
    check(*models)
    said = capsys.readouterr().err.split(progress.MARK)[1:]
    last = {one["title"]: one for one in map(json.loads, said)}
    assert [*last] == ["models", "layers", "float32"]
    assert all(one["done"] == one["total"] for one in last.values())
