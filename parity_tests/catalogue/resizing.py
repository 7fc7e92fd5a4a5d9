"""Demonstrations of the differences in resizing, by id."""

from __future__ import annotations

from typing import Any

from torch.nn import functional as F

from parity.reference.layers.windowed.resizing import Resizing
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import first, keras_layer, last, normal, out

IMAGES = normal(2, 5, 5, 3)
REFERENCES: list[tuple[Any, Any, dict[str, Any]]] = [
    (Resizing(height=8, width=7, interpolation="nearest"), IMAGES, {}),
    (Resizing(height=3, width=10, interpolation="nearest"), IMAGES, {}),
]
"""TensorFlow computes linear interpolation in float32; see the demonstrations."""


def shown(
    flavour: str,
    size: tuple[int, int],
    naive: dict[str, Any],
    port: dict[str, Any],
    **given: Any,
) -> Shown:
    from keras_impl.capture.precision.dtypes import in_dtype
    from keras_impl.framework import keras

    x = normal(2, 8, 8, 3) if size == (3, 3) else IMAGES
    with in_dtype(keras, flavour, "float64"):
        layer = keras_layer("Resizing", x, height=size[0], width=size[1], **given)
        expected = out(layer, x)
    ports = [F.interpolate(first(x), size, **options) for options in (naive, port)]
    return Shown(expected, *map(last, ports))


LINEAR = {"mode": "bilinear", "align_corners": False}


def interpolation(flavour: str) -> Shown:
    return shown(flavour, (8, 7), {}, LINEAR)


def align_corners(flavour: str) -> Shown:
    return shown(flavour, (8, 7), {**LINEAR, "align_corners": True}, LINEAR)


def antialias(flavour: str) -> Shown:
    return shown(flavour, (3, 3), {**LINEAR, "antialias": True}, LINEAR)


def nearest(flavour: str) -> Shown:
    return shown(flavour, (8, 7), {}, {"mode": "nearest-exact"}, interpolation="nearest")


DEMONSTRATIONS: dict[str, Demonstration] = {
    "resizing.interpolation": interpolation,
    "resizing.align_corners": align_corners,
    "resizing.antialias": antialias,
    "resizing.nearest": nearest,
}
