"""EarlyStopping stops and restores weights as Keras does, over random sequences of a metric."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from parity_tests.torch_impl.callbacks.metric_sequences import (
    EPOCHS,
    MONITORS,
    OTHER,
    SEQUENCES,
    metrics,
    pick,
    quiet,
    same,
    set_weights,
    weights,
)
from torch_impl.fit import EarlyStopping

pytestmark = pytest.mark.flavour


def early_stopping_options(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "monitor": pick(rng, *MONITORS),
        "min_delta": pick(rng, 0, 0.1, 1e-4, 0.25),
        "patience": pick(rng, 0, 1, 2, 3, 4, EPOCHS),
        "mode": pick(rng, "auto", "auto", "min", "max"),
        "baseline": pick(rng, None, None, 0.5),
        "restore_best_weights": bool(rng.integers(2)),
        "start_from_epoch": pick(rng, 0, 0, 1, 3),
    }


def stop_both(
    keras_model: Any, options: dict[str, Any], values: list[float | None], flavour: str
) -> list[tuple[str, Any, Any]]:
    """What parts Keras's early stopping from ours on one sequence, after each epoch and at last."""
    from keras_impl.framework import keras

    theirs, model = keras.callbacks.EarlyStopping(**options), nn.Linear(1, 1)
    theirs.set_model(keras_model)
    keras_model.stop_training = False
    theirs.on_train_begin()
    ours = EarlyStopping(model, **options, flavour=flavour)
    apart: list[tuple[str, Any, Any]] = []
    for epoch, value in enumerate(values):
        set_weights(keras_model, model, float(epoch))
        logs = {"other": 1.0} if value is None else {"other": 1.0, options["monitor"]: value}
        with quiet():
            theirs.on_epoch_end(epoch, dict(logs))
            stop = ours.on_epoch_end(epoch, logs)
        pairs = {"stop": (keras_model.stop_training, stop)}
        for name in ("wait", "best", "best_epoch", "stopped_epoch"):
            pairs[name] = (getattr(theirs, name), getattr(ours, name))
        apart += [(f"{name} at {epoch}", a, b) for name, (a, b) in pairs.items() if not same(a, b)]
        if apart or stop:
            break
    theirs.on_train_end()
    ours.on_train_end()
    if weights(keras_model) != weights(model):
        apart.append(("weights", weights(keras_model), weights(model)))
    return apart


def test_early_stopping_decides_as_keras(keras_model: Any, flavour: str) -> None:
    """Epoch of the stop, best value, best epoch and restored weights, on every sequence."""
    rng, stopped, restored = np.random.default_rng(0), 0, 0
    for _ in range(SEQUENCES):
        options = early_stopping_options(rng)
        values = metrics(rng, options["min_delta"])
        apart = stop_both(keras_model, options, values, flavour)
        assert not apart, f"{options} {values}: {apart}"
        stopped += keras_model.stop_training
        restored += weights(keras_model)[0] < EPOCHS - 1 and not keras_model.stop_training
    assert stopped > SEQUENCES / 3, "the sequences do not try the callback"
    assert restored > 10, "no weights restored where training ran to its end"


def test_the_other_keras_stops_elsewhere(keras_model: Any, flavour: str) -> None:
    """The comparison sees what the two Kerases differ in: NaN first, and float32."""
    options = {"monitor": "val_loss", "patience": 2, "restore_best_weights": True}
    for values in ([math.nan, 3.0, 2.0, 1.0, 0.5], [1.0, 1 - 1e-9, 1 - 2e-9, 1 - 3e-9]):
        assert not stop_both(keras_model, options, list(values), flavour)
        assert stop_both(keras_model, options, list(values), OTHER[flavour])


def test_best_weights_are_a_copy(flavour: str) -> None:
    """Training goes on in place and must not reach them; buffers come back, too."""
    model = nn.BatchNorm1d(2)
    stopping = EarlyStopping(model, restore_best_weights=True, flavour=flavour)
    model(torch.ones(3, 2))
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    stopping.on_epoch_end(0, {"val_loss": 1.0})
    model(torch.ones(3, 2))
    nn.init.constant_(model.weight, 5.0)
    weight = model.weight
    stopping.on_epoch_end(1, {"val_loss": 2.0})
    stopping.on_train_end()
    assert all(torch.equal(model.state_dict()[name], value) for name, value in kept.items())
    assert model.weight is weight
