"""Float32: drift beside float64's verdict, and a verdict where there is no float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.pairs import check as checking
from parity.pairs.check import check
from parity_tests.pairs.zoo.models import PAIRS, fill

pytestmark = pytest.mark.flavour

CNN = PAIRS["cnn"]
X = np.random.default_rng(0).normal(size=(8, 6))
TRAINED = {"targets": np.random.default_rng(1).normal(size=(8, 5)), "loss": "mse"}


def rough(x: Tensor) -> Tensor:
    """Exact in float64; eight bits of float32."""
    return x.bfloat16().float() if x.dtype == torch.float32 else x


class RoughBackwards(torch.autograd.Function):
    """Nothing forwards, and so much of the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """The same."""
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> Tensor:
        """Not quite what comes from above."""
        return rough(above[0])


class Coarse(nn.Module):
    """Two layers, with something between them that float64 does not show."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where
        self.one, self.two = nn.Linear(6, 5), nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Both, coarse forwards, backwards, or nowhere."""
        y = self.one(x)
        if self.where == "forward_eval":
            y = rough(y)
        if self.where == "gradients":
            y = RoughBackwards.apply(y)  # type: ignore[no-untyped-call]
        return self.two(y)


@pytest.mark.parametrize("where", ["nowhere", "forward_eval", "gradients"])
def test_float32_is_held_against_rounding(keras: Any, where: str) -> None:
    """Beside float64's verdict stands what float32 does, and whether rounding explains it."""
    layers = [keras.layers.Dense(5), keras.layers.Dense(5)]
    model = fill(keras.Sequential([keras.Input((6,)), *layers]))
    report = check(model, Coarse(where), X, **TRAINED)
    contradicted = where == "forward_eval"  # the plain run shows what float64 does not compute
    assert report.verdict == ("inconclusive" if contradicted else "same"), str(report)
    beyond = {one.rung: one.observed > one.allowed for one in report.float32}
    assert [*beyond] == ["forward_eval", "gradients"]
    assert beyond.get(where, False) == (where != "nowhere")
    assert any(beyond.values()) == (where != "nowhere")
    assert ("float32 differs by more than rounding" in str(report)) == (where != "nowhere")


def test_without_a_loss_outputs_alone_drift(keras: Any) -> None:
    """There is nothing that gradients could be of."""
    report = check(fill(CNN.keras(keras)), CNN.torch(), CNN.inputs())
    assert [one.rung for one in report.float32] == ["forward_eval"]


def single(keras: Any) -> Any:
    """A builder of a model whose code fails in float64, and which dropout and a norm are in."""
    import tensorflow as tf

    class Own(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * tf.constant(2.0, tf.float32)

    def build() -> Any:
        layers = keras.layers
        stack = [layers.Dense(6), layers.Dropout(0.5), Own(), layers.BatchNormalization()]
        return fill(keras.Sequential([layers.Input((6,)), *stack, layers.Dense(5)]))

    return build


class Single(nn.Module):
    """Its port, which may hold a gradient back."""

    def __init__(self, detached: bool) -> None:
        super().__init__()
        self.detached = detached
        self.one, self.dropout = nn.Linear(6, 6), nn.Dropout(0.5)
        self.norm, self.two = nn.BatchNorm1d(6, 1e-3, 0.01), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Two layers."""
        y = self.dropout(self.one(x))
        y = y.detach() if self.detached else y
        return self.two(self.norm(y * 2.0))


@pytest.mark.parametrize("detached", [False, True])
def test_without_float64_gradients_are_judged_by_rounding(keras: Any, detached: bool) -> None:
    """The report says that this is weaker, and that no optimizer step was compared."""
    report = check(single(keras), Single(detached), X, **TRAINED, optimizer="sgd")
    assert report.dtype == "float32", str(report)
    gradients = "failed" if detached else "passed"
    assert [(one.name, one.status) for one in report.rungs] == [
        ("forward_eval", "passed"),
        ("gradients", gradients),
        ("step", "not run"),
        ("steps", "not run"),
    ]
    assert report.rungs[2].reason == "optimizer steps are compared in float64 only"
    assert report.verdict == ("different" if detached else "inconclusive"), str(report)
    if detached:
        assert report.first_divergence is not None
        assert report.first_divergence.rung == "gradients"
        assert [one.id for one in report.causes] == ["unknown"]


def test_large_models_are_not_run_in_float32_as_well(
    keras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take more memory than float64 did; the report says so."""
    monkeypatch.setattr(checking, "LARGE", 10)
    report = check(fill(CNN.keras(keras)), CNN.torch(), CNN.inputs())
    assert report.float32 == ()
    assert any("not run in float32" in note for note in report.notes)
