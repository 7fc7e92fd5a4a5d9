"""Penalties on Keras's weights that PyTorch's optimizer applies as weight decay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from parity.pairs.check import check
from parity_tests.pairs.zoo.models import fill

pytestmark = pytest.mark.flavour


def kernels(params: list[Any], decay: float) -> Any:
    groups = [
        {"params": [one for one in params if one.ndim > 1], "weight_decay": decay},
        {"params": [one for one in params if one.ndim == 1]},
    ]
    return torch.optim.SGD(groups, lr=0.05)


def every(params: list[Any], decay: float) -> Any:
    return torch.optim.SGD(params, lr=0.05, weight_decay=decay)


@pytest.mark.parametrize(
    ("rule", "decay", "same"),
    [(kernels, 0.04, True), (kernels, 0.02, False), (every, 0.04, False)],
)
def test_the_same_updates_are_the_same(
    rule: Callable[..., Any], decay: float, same: bool, keras: Any
) -> None:
    """Twice the factor, for the kernels alone; anything else changes the weights."""
    layers, penalty = keras.layers, keras.regularizers.L2(0.02)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(5, "relu", kernel_regularizer=penalty, name="hidden"),
            layers.Dense(3, kernel_regularizer=penalty, name="out"),
        ]
    )
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    rng = np.random.default_rng(0)
    loss = keras.losses.MeanSquaredError(), nn.MSELoss()
    rules = keras.optimizers.SGD(0.05), lambda params: rule(list(params), decay)
    report = check(
        fill(model),
        module,
        rng.normal(size=(8, 6)),
        targets=rng.normal(size=(8, 3)),
        loss=loss,
        optimizer=rules,
        steps=4,
    )
    assert (report.verdict == "same") == same, str(report)
    assert any("as weight decay" in note for note in report.notes) == same
    assert same or {one.id for one in report.causes} & {"l2.factor", "optimizer.weight_decay"}
