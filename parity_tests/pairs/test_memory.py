"""What a check holds on to: one array for each tensor, none once compared; and its progress."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from keras_impl.capture.read import weights
from keras_impl.capture.side import KerasSide
from parity import progress
from parity.adapters.released import ReleasedError
from parity.adapters.trainer import Batch
from parity.numerics import distance, tolerance
from parity.pairs import rounding
from parity.pairs.check import check
from parity.pairs.training import gradients
from parity_tests.pairs.zoo.models import PAIRS, fill
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


READS: dict[str, Callable[[Any, Any], Any]] = {
    "comparison": lambda a, b: a == b,
    "np.array_equal": np.array_equal,
    "difference": lambda a, b: a - b,
    "relative error": distance.relative_error,
    "from an array": lambda a, _: X[:, :2] - a,
    "entry": lambda a, _: a[0],
    "method": lambda a, _: a.max(),
    "np.asarray": lambda a, _: np.asarray(a),
}
"""Expressions that read one of two arrays."""


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_released_array_cannot_be_read(read: Callable[[Any, Any], Any]) -> None:
    """Its shape remains; its values raise an error, so two released arrays never look equal."""
    run, other = (TorchSide(nn.Linear(6, 2), "float64").run([X]) for _ in range(2))
    output = weakref.ref(run.calls[0].output)
    run.forget()
    other.forget()
    first, second = run.calls[0].output, other.calls[0].output
    assert first.shape == second.shape == (4, 2)
    with pytest.raises(ReleasedError, match=r"Linear: received an array of shape \(4, 2\)"):
        read(first, second)
    del run.outputs["output"]
    assert output() is None


class First(nn.Module):
    """What an LSTM gives, without its states."""

    def forward(self, x: tuple[Tensor, Tensor]) -> Tensor:
        """The first of two."""
        return x[0]


def test_gradients_may_be_had_a_few_at_a_time(keras: Any) -> None:
    """Some weights' are those of all; PyTorch has computed no other, and keeps none."""
    torch.manual_seed(0)
    layers = [keras.layers.Dense(6), keras.layers.LSTM(3, return_sequences=True)]
    model = keras.Sequential([keras.Input((2, 6)), *layers])
    module = nn.Sequential(nn.Linear(6, 6), nn.LSTM(6, 3, batch_first=True), First())
    batch = Batch([X.reshape(2, 2, 6)], None, [np.ones((2, 2, 3))])
    for side in (KerasSide(model, "float64"), TorchSide(module, "float64")):
        side.run(batch.inputs)
        loss = "mse" if side.flavour else lambda y, _: (y**2).sum()
        trainer = side.trainer(loss, None, 0, "tf_keras")
        whole, all_of_them = trainer.gradients(batch, 0)
        assert all_of_them.keys() == trainer.weights().keys()
        for key, value in all_of_them.items():
            again, found = trainer.gradients(batch, 0, [key])
            assert again == whole
            assert found.keys() == {key}
            assert np.array_equal(found[key], value)
    assert all(one.grad is None for one in module.parameters())


@pytest.mark.parametrize("part", [1, 30, 10**9])
def test_gradients_are_compared_part_by_part(
    part: int, keras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many at a time, a faithful pair is the same and a detached weight is named."""
    monkeypatch.setattr(gradients, "PART", part)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(6), keras.layers.Dense(2)])
    given = {"targets": np.ones((4, 2)), "loss": "mse"}
    module = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 2))
    assert check(model, module, X, **given).verdict == "same"
    module[0].bias.requires_grad_(False)
    assert [one.id for one in check(model, module, X, **given).causes] == ["layer.trainable"]


def test_weights_that_nothing_moves_are_not_copied(keras: Any) -> None:
    """Either side takes them down once an optimizer is about to move them, and gives them back."""
    layers = [keras.layers.Dense(6), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((6,)), *layers])
    sides = KerasSide(model, "float64"), TorchSide(nn.Linear(6, 2), "float64")
    for side, loss in zip(sides, ("mse", lambda y, _: (y**2).sum()), strict=True):
        side.run([X])
        sgd = "sgd" if side.flavour else lambda params: torch.optim.SGD(params, lr=0.1)
        trainer = side.trainer(loss, sgd, 0, "tf_keras")
        before = {key: value.copy() for key, value in trainer.weights().items()}
        if side.flavour:
            own = {id(one): value for one, value in trainer.first}
            assert np.shares_memory(own[id(side.model.weights[0])], _now(side))
        else:
            assert trainer.first == {}
        batch = Batch([X], None, [np.ones((4, 2))])
        trainer.apply(trainer.gradients(batch, 0)[1])
        moved = trainer.weights()
        assert not any(np.array_equal(moved[key], value) for key, value in before.items())
        trainer.start()
        after = trainer.weights()
        assert all(np.array_equal(after[key], value) for key, value in before.items())


def _now(side: KerasSide) -> np.ndarray:
    return weights.array_of(side.model.weights[0])


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
def test_a_distance_is_found_part_by_part(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is taken of the whole; the largest entry counts wherever it stands."""
    numbers = np.random.default_rng(0).normal(size=(7, 5)) * 9
    numbers[3, 1] = 0.0
    own, other = numbers.astype(dtype), (numbers.T[::-1] * 3).T.astype(dtype)
    whole = distance.relative_error(own, other)
    monkeypatch.setattr(distance, "PART", 4)
    assert distance.relative_error(own, other) == whole > 0.0
    scale = max(np.abs(own.astype(float)).max(), np.abs(other.astype(float)).max())
    assert whole == np.abs(own.astype(float) - other.astype(float)).max() / scale


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
    first = dict(trainer.weights())
    least, batch = tolerance.FLOAT64["gradients"].limit, Batch([X], None, [X])
    effects = rounding.gradient_effects(trainer, batch, "float64")
    _, found = trainer.gradients(batch, 0)
    trainer.start()
    allowed = {
        key: tolerance.allowed_float64(
            "gradient", "gradients", 1, one / abs(found[key]).max()
        ).limit
        for key, one in effects.items()
    }
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
