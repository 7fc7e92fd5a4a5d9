"""Demonstrations of the differences in padding, cropping and up-sampling, by id."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.nn import functional as F

from parity.reference.layers.windowed.padding import Cropping, UpSampling, ZeroPadding
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import first, keras_layer, last, normal, out

IMAGES = normal(2, 4, 4, 3)
REFERENCES: list[tuple[Any, Any, dict[str, Any]]] = [
    (ZeroPadding(padding=((0, 1), (2, 3))), IMAGES, {}),
    (Cropping(cropping=((0, 1), (2, 0))), IMAGES, {}),
    (Cropping(cropping=((1, 1), (0, 1))), IMAGES, {}),
    (UpSampling(size=(2, 3)), IMAGES, {}),
]


def order(flavour: str) -> Shown:
    layer = keras_layer("ZeroPadding2D", IMAGES, padding=((0, 1), (1, 0)))
    ports = [F.pad(first(IMAGES), sides) for sides in ((0, 1, 1, 0), (1, 0, 0, 1))]
    return Shown(out(layer, IMAGES), *map(last, ports))


def align_corners(flavour: str) -> Shown:
    x = np.round(IMAGES * 4)
    keras = out(keras_layer("UpSampling2D", x, interpolation="bilinear"), x)
    ports = [
        F.interpolate(first(x), scale_factor=2, mode="bilinear", align_corners=aligned)
        for aligned in (True, False)
    ]
    return Shown(keras.astype(float), *map(last, ports))


def bicubic(flavour: str) -> Shown:
    x = np.round(normal(2, 8, 8, 3) * 4)
    keras = out(keras_layer("UpSampling2D", x, interpolation="bicubic"), x)
    inner = (slice(None), slice(3, -3), slice(3, -3))  # exact in Keras's float32
    ports = [
        F.interpolate(first(x), scale_factor=2, mode="bicubic", antialias=smooth)
        for smooth in (False, True)
    ]
    return Shown(keras.astype(float)[inner], *(last(port)[inner] for port in ports))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "zero_padding.order": order,
    "up_sampling.align_corners": align_corners,
    "up_sampling.bicubic": bicubic,
}
