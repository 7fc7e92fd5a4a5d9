"""Random sequences of a metric, and models whose weights both frameworks set."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

SEQUENCES = 300


EPOCHS = 14


MONITORS = ("val_loss", "loss", "val_accuracy", "accuracy", "val_auc", "auc")


OTHER = {"tf_keras": "keras3", "keras3": "tf_keras"}


def metrics(rng: np.random.Generator, delta: float, epochs: int = EPOCHS) -> list[float | None]:
    """A sequence with ties, plateaus, steps of exactly ``delta``, and what is no number."""
    values, last = [], float(rng.choice([0.5, 1.0, 0.3, 7.0]))
    oddities = [math.nan, math.inf, -math.inf, None]
    for _ in range(epochs):
        if rng.random() < 0.12:
            values.append(oddities[rng.integers(4)])
            continue
        step = float(rng.choice([0, 0, -1, 1, 2, -2]) * (delta or 0.1))
        tiny = float(rng.choice([1.0, 1.0, 1.0, 1 + 1e-9, 1 - 1e-9, 1 + 1e-15]))
        values.append(last := (last + step) * tiny if rng.random() < 0.8 else float(rng.random()))
    return values


def pick(rng: np.random.Generator, *choices: Any) -> Any:
    return choices[rng.integers(len(choices))]


def keras_model_in(dtype: str) -> Any:
    from keras_impl.framework import keras, set_dtype

    set_dtype(dtype)
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
    optimizer = keras.optimizers.SGD(0.1)
    model.compile(optimizer, "mse", metrics=["accuracy", keras.metrics.AUC(name="auc")])
    model.evaluate(np.zeros((4, 1)), np.array([[0], [1], [0], [1]]), verbose=0)
    return model


def set_weights(keras_model: Any, torch_model: nn.Module, value: float) -> None:
    keras_model.set_weights([np.full(w.shape, value) for w in keras_model.get_weights()])
    with torch.no_grad():
        for parameter in torch_model.parameters():
            parameter.fill_(value)


def weights(model: Any) -> list[float]:
    if isinstance(model, nn.Module):
        return [float(parameter.item()) for parameter in model.parameters()]
    return [float(weight.item()) for weight in model.get_weights()]


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings that a metric is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def same(a: Any, b: Any) -> bool:
    return a == b or (a is not None and b is not None and math.isnan(a) and math.isnan(b))


STOP, REDUCE, SAVE, LOG = "EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint", "CSVLogger"
