"""Demonstrations of the differences in scaling inputs, by id."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.reference.layers.rescaling import Normalization, Rescaling
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import first, keras_layer, last, normal, out, t

IMAGES = normal(2, 4, 4, 3)
REFERENCES: list[tuple[Any, Any, dict[str, Any]]] = [
    (Rescaling(scale=0.5, offset=-1.0), IMAGES, {}),
    (Normalization(mean=0.5, variance=0.25), normal(6, 5), {}),
    (Normalization(mean=(0.5, -1.0, 2.0), variance=(0.25, 4.0, 1.0)), IMAGES, {}),
]


def offset(flavour: str) -> Shown:
    scale = float(np.float32(1 / 127.5))  # as Keras has it
    keras = out(keras_layer("Rescaling", IMAGES, scale=scale, offset=-1.0), IMAGES)
    x = first(IMAGES)
    return Shown(keras, *map(last, ((x - 1) * scale, x * scale - 1)))


def variance(flavour: str) -> Shown:
    mean, values = np.array([0.25, 0.5, -0.5]), np.array([0.25, 0.5, 0.625])
    layer = keras_layer("Normalization", IMAGES, mean=mean.tolist(), variance=values.tolist())
    x, square = first(IMAGES) - t(mean)[:, None, None], t(values)[:, None, None]
    return Shown(out(layer, IMAGES), *map(last, (x / square, x / square.sqrt())))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "rescaling.offset": offset,
    "normalization.variance": variance,
}
