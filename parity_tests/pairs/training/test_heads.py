"""A final activation that one model has and the other leaves to its loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.pairs.check import check
from parity.report.report import Report
from parity_tests.pairs.zoo.models import fill

pytestmark = pytest.mark.flavour

CLASSES = np.random.default_rng(1).integers(0, 3, 12)
SEVERAL = np.random.default_rng(2).integers(0, 2, (12, 3)).astype(float)


class Net(nn.Module):
    """Two dense layers, then a function."""

    def __init__(self, last: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.hidden, self.out, self.last = nn.Linear(7, 5), nn.Linear(5, 3), last

    def forward(self, x: Tensor) -> Tensor:
        """Scores or probabilities of three classes."""
        return self.last(self.out(torch.tanh(self.hidden(x))))


def plain(x: Tensor) -> Tensor:
    return x


def log_softmax(x: Tensor) -> Tensor:
    return F.log_softmax(x, -1)


def softmax(x: Tensor) -> Tensor:
    return torch.softmax(x, -1)


def of_logarithm(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.nll_loss(outputs.log(), targets)


LOSSES: dict[str, Callable[[Any], Any]] = {
    "sparse": lambda losses: losses.SparseCategoricalCrossentropy(),
    "sparse of logits": lambda losses: losses.SparseCategoricalCrossentropy(from_logits=True),
    "binary": lambda losses: losses.BinaryCrossentropy(),
    "binary of logits": lambda losses: losses.BinaryCrossentropy(from_logits=True),
    "squared": lambda losses: losses.MeanSquaredError(),
}


def checked(
    keras: Any,
    activation: str | None,
    loss: str,
    last: Callable[[Tensor], Tensor],
    torch_loss: Callable[..., Tensor] | None,
    targets: np.ndarray,
) -> Report:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((7,)),
            layers.Dense(5, "tanh", name="hidden"),
            layers.Dense(3, activation, name="out"),
        ]
    )
    training: dict[str, Any] = {}
    if torch_loss is not None:
        rules = keras.optimizers.SGD(0.1), lambda params: torch.optim.SGD(params, lr=0.1)
        training = {
            "targets": targets,
            "loss": (LOSSES[loss](keras.losses), torch_loss),
            "optimizer": rules,
            "steps": 3,
        }
    x = np.random.default_rng(0).normal(size=(12, 7))
    return check(fill(model), Net(last), x, float32=False, **training)


@pytest.mark.parametrize(
    ("activation", "loss", "last", "torch_loss", "targets"),
    [
        ("softmax", "sparse", plain, nn.CrossEntropyLoss(), CLASSES),
        ("softmax", "sparse", log_softmax, nn.NLLLoss(), CLASSES),
        (None, "sparse of logits", log_softmax, nn.NLLLoss(), CLASSES),
        (None, "sparse of logits", softmax, of_logarithm, CLASSES),
        ("sigmoid", "binary", plain, nn.BCEWithLogitsLoss(), SEVERAL),
        (None, "binary of logits", torch.sigmoid, nn.BCELoss(), SEVERAL),
    ],
)
def test_losses_that_contain_the_activation_are_the_same(
    activation: str | None,
    loss: str,
    last: Callable[[Tensor], Tensor],
    torch_loss: Callable[..., Tensor],
    targets: np.ndarray,
    keras: Any,
) -> None:
    """The report names the side that leaves the activation to its loss."""
    report = checked(keras, activation, loss, last, torch_loss, targets)
    if "binary" in loss and keras.__name__ == "tf_keras" and "logits" not in loss:
        assert {one.id for one in report.causes} <= {"loss.binary_epsilon"}
        return
    assert report.verdict == "same", str(report)
    assert any("to its loss" in note for note in report.notes)


@pytest.mark.parametrize(
    ("activation", "loss", "last", "torch_loss", "targets"),
    [
        ("softmax", "squared", plain, nn.MSELoss(), SEVERAL),
        ("softmax", "sparse", plain, lambda o, t: F.nll_loss(o, t), CLASSES),
        (None, "sparse of logits", softmax, nn.CrossEntropyLoss(), CLASSES),
        ("sigmoid", "binary", softmax, nn.BCELoss(), SEVERAL),
    ],
)
def test_losses_without_the_activation_differ(
    activation: str | None,
    loss: str,
    last: Callable[[Tensor], Tensor],
    torch_loss: Callable[..., Tensor],
    targets: np.ndarray,
    keras: Any,
) -> None:
    """The loss of logits is not that of probabilities."""
    report = checked(keras, activation, loss, last, torch_loss, targets)
    assert report.verdict == "different", str(report)


def test_without_a_loss_the_activation_is_the_difference(keras: Any) -> None:
    """The report says that the models agree up to it."""
    report = checked(keras, "softmax", "", plain, None, CLASSES)
    assert report.verdict == "different"
    assert any("agree up to the final softmax" in note for note in report.notes)
