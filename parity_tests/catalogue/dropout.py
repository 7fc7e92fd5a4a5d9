"""Demonstrations of the differences between dropout and noise layers, by id."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from parity.reference.layers import dropout
from parity.reference.layers.dropout import (
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout2D,
)
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import first, keras_layer, last, n, normal, out, t

X = normal(100, 5)
IMAGES = normal(2, 4, 4, 3)
KINDS: list[Any] = [
    Dropout(rate=0.3),
    SpatialDropout2D(rate=0.3),
    GaussianDropout(rate=0.3),
    AlphaDropout(rate=0.3),
    GaussianNoise(stddev=0.3),
]
REFERENCES: list[tuple[Any, Any, dict[str, Any]]] = [(config, IMAGES, {}) for config in KINDS]


def trained(config: Any, x: np.ndarray) -> np.ndarray:
    """The output of a new Keras layer with seed 0 in training."""
    name = "stddev" if isinstance(config, GaussianNoise) else "rate"
    given = {name: getattr(config, name)}
    from keras_impl.framework import tf

    layer = keras_layer(config.keras, x, seed=0, **given)
    tf.random.set_seed(0)  # Keras 2 counts calls from here
    return out(layer, x, training=True)


def drawn_by_keras(config: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The layer's random draws, computed from its output for ones."""
    made = trained(config, np.ones(shape))
    if isinstance(config, GaussianNoise):
        return (made - 1.0) / config.stddev
    if isinstance(config, GaussianDropout):
        return (made - 1.0) / math.sqrt(config.rate / (1.0 - config.rate))
    return made > 0


def shown(config: Any, x: np.ndarray, naive: Any, faithful: Any) -> Shown:
    """Keras, a port with its own random draws, and one with Keras's."""
    torch.manual_seed(0)
    drawn = t(drawn_by_keras(config, x.shape))
    return Shown(trained(config, x), n(naive(t(x))), n(faithful(t(x), drawn)))


def masks(flavour: str) -> Shown:
    return shown(Dropout(rate=0.5), X, torch.nn.Dropout(), lambda x, keep: x * keep / 0.5)


def spatial(flavour: str) -> Shown:
    config = SpatialDropout2D(rate=0.5)
    torch.manual_seed(0)
    keep = first(drawn_by_keras(config, IMAGES.shape))[:, :, :1, :1]
    naive = torch.nn.Dropout()(first(IMAGES))
    return Shown(trained(config, IMAGES), last(naive), last(first(IMAGES) * keep / 0.5))


def gaussian(flavour: str) -> Shown:
    return shown(GaussianDropout(rate=0.5), X, torch.nn.Dropout(), lambda x, z: x * (1 + z))


def rate_one(flavour: str) -> Shown:
    """A port from PyTorch to Keras, because Keras 2's layer raises an error."""
    wanted = n(torch.nn.Dropout(1.0)(t(X)))
    layer = keras_layer("Dropout", X, rate=1.0)
    try:
        naive = out(layer, X, training=True)
    except ValueError:
        naive = None
    return Shown(wanted, naive, X * 0.0)


DEMONSTRATIONS: dict[str, Demonstration] = {
    "dropout.masks": masks,
    "dropout.spatial": spatial,
    "dropout.gaussian": gaussian,
    "dropout.rate_one": rate_one,
}


def in_training(config: Any) -> tuple[np.ndarray, np.ndarray]:
    """Keras's output for images, and the reference's with the same random draws."""
    drawn = drawn_by_keras(config, IMAGES.shape)
    return trained(config, IMAGES), dropout.reference(config, {}, IMAGES, drawn)
