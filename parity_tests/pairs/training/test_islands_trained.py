"""Training where Keras code computes in float32 by itself: in float64, faults are found."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from parity.pairs.check import check
from parity.pairs.forward.float32_islands import ID
from parity_tests.pairs.precision.test_islands import (
    PAIRS,
    Between,
    X,
    attention,
    between,
    constant,
)
from parity_tests.pairs.zoo.models import fill

pytestmark = pytest.mark.flavour

Y = np.random.default_rng(1).normal(size=(4, 3))
RUNGS = ("forward_eval", "forward_train", "loss", "gradients", "step", "steps")
TRAINED = {"targets": Y, "loss": "mse", "optimizer": "adam", "steps": 2}


@pytest.mark.parametrize("name", PAIRS)
def test_it_is_trained_in_float64(name: str, keras: Any) -> None:
    """Every rung is compared, with nothing wider than float64 allows."""
    own, other = PAIRS[name]
    report = check(between(keras, own), Between(other), X, **TRAINED)
    assert report.verdict == "same", str(report)
    assert [(one.name, one.status) for one in report.rungs] == [(one, "passed") for one in RUNGS]
    assert [note.split(":")[0] for note in report.notes] == [ID]


FAULTS: dict[str, tuple[Any, dict[str, Any], str, str]] = {
    "rate": (
        lambda x: x / math.sqrt(2.0),
        {"optimizer": lambda keras: (keras.optimizers.SGD(0.1), _sgd)},
        "optimizer.learning_rate",
        "step",
    ),
    "loss": (
        lambda x: x / math.sqrt(2.0),
        {"loss": lambda keras: (keras.losses.MeanSquaredError(), nn.MSELoss(reduction="sum"))},
        "loss.reduction",
        "loss",
    ),
    "detached": (lambda x: x.detach() / math.sqrt(2.0), {}, "gradient.detached", "gradients"),
}
"""What PyTorch's function is, what else is given, the cause, and the rung where it shows."""


def _sgd(params: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(params, lr=0.2)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_training_is_found(name: str, keras: Any) -> None:
    """By name and with proof, as where nothing is computed in float32."""
    function, changed, cause, rung = FAULTS[name]
    given = TRAINED | {key: make(keras) for key, make in changed.items()}
    report = check(between(keras, constant), Between(function), X, **given)
    assert [one.id for one in report.causes] == [cause], str(report)
    assert report.first_divergence is not None
    assert report.first_divergence.rung == rung
    assert report.causes[0].proof is not None
    assert report.causes[0].proof.after <= 1e-12


def straight(x: Any) -> Any:
    """In float32, with a gradient that is none: twice the true one."""
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[misc]
    def scaled(x: Any) -> Any:
        return x * 0.3, lambda above: above * 0.6

    return tf.cast(scaled(tf.cast(x, tf.float32)), x.dtype)


def test_a_gradient_that_float64_does_not_have_is_told(keras: Any) -> None:
    """What a gradient of its own says is lost with float32: the report says so, and by how much."""
    report = check(between(keras, straight), Between(lambda x: x * 0.3), X, **TRAINED)
    assert report.verdict == "inconclusive", str(report)
    status = [one.status for one in report.rungs]
    assert status == ["passed", "passed", "not run", "not run", "not run", "not run"]
    assert "more than rounding explains" in report.rungs[2].reason


@pytest.mark.parametrize("within", [True, False])
@pytest.mark.parametrize("exact", [True, False])
def test_a_loss_of_the_users_own_is_computed_so(exact: bool, within: bool, keras: Any) -> None:
    """Its squares in float32 are no fault, with or without such in the model; a factor is one."""
    import tensorflow as tf

    def own(y: Any, p: Any) -> Any:
        return tf.reduce_mean(tf.square(tf.cast(p - y, tf.float32)) * 0.3)

    def other(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return ((p - y) ** 2 * (0.3 if exact else 0.3001)).mean()

    function = PAIRS["constant"] if within else (lambda x: x * 0.5,) * 2
    given = TRAINED | {"loss": (own, other)}
    report = check(between(keras, function[0]), Between(function[1]), X, **given)
    assert (report.verdict == "same") == exact, str(report)
    told = [note for note in report.notes if note.startswith(ID)]
    assert len(told) == (within or exact)


def normed(keras: Any) -> Any:
    """Batch norm and dropout within float32, and the function of a pair before."""
    import tensorflow as tf

    class Own(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.drop = keras.layers.Dropout(0.25, dtype="float32")

        def call(self, x: Any, training: bool = False) -> Any:
            return tf.cast(self.drop(attention(x), training=training), x.dtype)

    def build() -> Any:
        layers = keras.layers
        norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        return fill(keras.Sequential([keras.Input((5,)), layers.Dense(6), norm, Own()]))

    return build


class Normed(nn.Module):
    """Its port."""

    def __init__(self, momentum: float = 0.1) -> None:
        super().__init__()
        self.dense, self.norm = nn.Linear(5, 6), nn.BatchNorm1d(6, momentum=momentum)
        self.drop = nn.Dropout(0.25)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, 5) to (N, 6)."""
        return self.drop((self.norm(self.dense(x)) * 0.3).softmax(-1))


@pytest.mark.parametrize(
    ("changed", "cause"),
    [({}, None), ({"momentum": 0.2}, "batch_norm.momentum")],
)
def test_what_keras_rounds_by_itself_stays_rounded(
    changed: dict[str, float], cause: str | None, keras: Any
) -> None:
    """Batch norm's momentum is PyTorch's once rounded; what dropout multiplies by is not."""
    given = TRAINED | {"targets": np.ones((4, 6)), "steps": 3}
    report = check(normed(keras), Normed(**changed), X, **given)
    named = {one.id for one in report.causes} - {"batch_norm.running_variance"}
    assert named == ({cause} if cause else set()), str(report)
