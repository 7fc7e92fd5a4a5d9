"""Demonstrations of the differences between pooling layers, by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from parity.reference.layers.windowed.geometry import same
from parity.reference.layers.windowed.pooling import (
    AveragePooling,
    GlobalAveragePooling,
    GlobalMaxPooling,
    MaxPooling,
)
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import first, gradient, keras_layer, last, n, normal, out, t

IMAGES = normal(2, 8, 8, 3)
SEQUENCES = normal(4, 5, 3) + 1
VALID = np.arange(5) < np.array([2, 5, 3, 4])[:, None]
AROUND = same(8, 3, 2) * 2

REFERENCES: list[tuple[Any, Any, dict[str, Any]]] = [
    *(
        (
            kind(pool_size=(size,) * rank, strides=(stride,) * rank, padding=padding),
            normal(2, *(8, 7, 5)[:rank], 3) - 2,
            {},
        )
        for kind in (MaxPooling, AveragePooling)
        for rank in (1, 2)
        for size, stride, padding in (
            (2, 2, "valid"),
            (3, 2, "same"),
            (3, 1, "same"),
            (2, 3, "same"),
        )
    ),
    (GlobalMaxPooling(rank=2, keepdims=True), IMAGES, {}),
    (GlobalAveragePooling(rank=2, keepdims=False), IMAGES, {}),
    (GlobalAveragePooling(rank=1, keepdims=False), SEQUENCES, {}),
    (GlobalAveragePooling(rank=1, keepdims=False), SEQUENCES, {"mask": VALID}),
]

GIVEN = {"pool_size": 3, "strides": 2, "padding": "same"}


def max_same_padding(flavour: str) -> Shown:
    x = first(IMAGES)
    ports = F.max_pool2d(x, 3, 2, 1), F.max_pool2d(F.pad(x, AROUND, value=-np.inf), 3, 2)
    return Shown(out(keras_layer("MaxPooling2D", IMAGES, **GIVEN), IMAGES), *map(last, ports))


def max_padding_value(flavour: str) -> Shown:
    x = IMAGES - 2
    ports = [F.max_pool2d(F.pad(first(x), AROUND, value=fill), 3, 2) for fill in (0.0, -np.inf)]
    return Shown(out(keras_layer("MaxPooling2D", x, **GIVEN), x), *map(last, ports))


def average_same_padding(flavour: str) -> Shown:
    x = first(IMAGES)
    sums, counts = (F.avg_pool2d(F.pad(one, AROUND), 3, 2) for one in (x, torch.ones_like(x)))
    keras = out(keras_layer("AveragePooling2D", IMAGES, **GIVEN), IMAGES)
    return Shown(keras, last(F.avg_pool2d(x, 3, 2, 1)), last(sums / counts))


def tie_gradient(flavour: str) -> Shown:
    x = np.ones((1, 4, 4, 1))
    found = []
    for function in (lambda x: x.flatten(2).max(2).values, lambda x: x.amax((2, 3))):
        leaf = first(x).clone().requires_grad_()
        function(leaf).sum().backward()
        assert leaf.grad is not None
        found.append(last(leaf.grad))
    layer = keras_layer("GlobalMaxPooling2D", x)
    return Shown(gradient(layer, x), *found)


def average_mask(flavour: str) -> Shown:
    x, mask = t(SEQUENCES), t(VALID)
    faithful = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    layer = keras_layer("GlobalAveragePooling1D", SEQUENCES)
    return Shown(out(layer, SEQUENCES, mask=VALID), n(x.mean(1)), n(faithful))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "max_pool.same_padding": max_same_padding,
    "max_pool.padding_value": max_padding_value,
    "average_pool.same_padding": average_same_padding,
    "global_max_pool.tie_gradient": tie_gradient,
    "global_average_pool.mask": average_mask,
}
