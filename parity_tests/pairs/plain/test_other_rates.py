"""Attributes that are named like rates of random layers, and are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from parity.pairs.check import check
from parity_tests.pairs.zoo.models import fill


class Scaled(nn.Module):
    """A dense layer after a division by a number of the module's own."""

    def __init__(self) -> None:
        super().__init__()
        self.std, self.p, self.dense = 0.5, 2.0, nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 6) to (N, 3)."""
        return self.dense(x / self.std / self.p)


def test_a_plain_run_leaves_them_alone(keras: Any) -> None:
    """They are not set to zero, so that both models train alike."""
    model = fill(keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, name="dense")]))
    rng = np.random.default_rng(0)
    rules = keras.optimizers.SGD(0.1), lambda params: torch.optim.SGD(params, lr=0.1)
    report = check(
        model,
        Scaled(),
        rng.normal(size=(8, 6)),
        targets=rng.normal(size=(8, 3)),
        loss=(keras.losses.MeanSquaredError(), nn.MSELoss()),
        optimizer=rules,
        steps=2,
    )
    assert report.verdict == "same", str(report)
    assert report.plain
    assert {"loss", "weights"} <= report.plain.keys()
