"""Random layers draw nothing in the plain run."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from parity.numerics import tolerance
from parity.pairs.check import check


def test_dropout_is_turned_off(keras: Any) -> None:
    """The plain losses of a pair with dropout differ by rounding alone."""
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((7,)), layers.Dense(9), layers.Dropout(0.3), layers.Dense(2)]
    )
    port = nn.Sequential(nn.Linear(7, 9), nn.Dropout(0.3), nn.Linear(9, 2))
    random = np.random.default_rng(4)
    targets = random.normal(size=(11, 2))
    report = check(model, port, random.normal(size=(11, 7)), targets=targets, loss="mse")
    assert report.verdict == "same", str(report)
    assert report.plain["loss"]["observed"] <= tolerance.ROUNDING_MAX
