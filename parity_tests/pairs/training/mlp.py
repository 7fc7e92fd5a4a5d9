"""A dense network with dropout in both frameworks, and a check of its training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from parity.pairs.check import Report, check
from parity_tests.pairs.zoo.models import fill

X = np.random.default_rng(0).normal(size=(16, 6))
Y = np.random.default_rng(1).integers(0, 3, 16)


class Mlp(nn.Module):
    """The PyTorch port; faithful with the default arguments."""

    def __init__(self, rate: float = 0.3, softmax: bool = False) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 3)
        self.drop = nn.Dropout(rate)
        self.softmax = softmax

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 6) to scores or probabilities (N, 3)."""
        x = self.b(self.drop(torch.relu(self.a(x))))
        return x.softmax(-1) if self.softmax else x


def keras_mlp(keras: Any, softmax: bool = False, frozen: bool = False) -> Any:
    """The Keras model, with random weights."""
    layers = keras.layers
    return fill(
        keras.Sequential(
            [
                keras.Input((6,)),
                layers.Dense(8, activation="relu", trainable=not frozen, name="a"),
                layers.Dropout(0.3, name="drop"),
                layers.Dense(3, activation="softmax" if softmax else None, name="b"),
            ]
        )
    )


def trained(keras: Any, module: nn.Module | None = None, **options: Any) -> Report:
    """The report of a check that trains both for three steps of SGD, or as the options require."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True), nn.CrossEntropyLoss()
    options = {"targets": Y, "loss": loss, "optimizer": "sgd", "steps": 3, **options}
    return check(keras_mlp(keras), module or Mlp(), X, **options)
