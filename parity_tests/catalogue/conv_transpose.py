"""Demonstrations of the differences between transposed convolutions, by id."""

from __future__ import annotations

import itertools
from typing import Any

from torch.nn import functional as F

from parity.reference.layers.windowed.conv_transpose import ConvTranspose
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import first, keras_layer, last, normal, out, t, weights_of

IMAGES = normal(2, 5, 5, 3)
REFERENCES: list[tuple[ConvTranspose, Any, dict[str, Any]]] = [
    (
        ConvTranspose(
            filters=4,
            kernel_size=(size, 3)[:rank],
            strides=(stride,) * rank,
            padding=padding,
            activation="tanh" if size == 2 else None,
            use_bias=size != 4,
        ),
        normal(2, *(5, 6)[:rank], 3),
        {},
    )
    for rank, size, stride, padding in itertools.product(
        (1, 2), (1, 2, 3, 4), (1, 2, 3), ("valid", "same")
    )
]


def kernel_layout(flavour: str) -> Shown:
    layer = keras_layer("Conv2DTranspose", IMAGES, filters=3, kernel_size=3)
    kernel, bias = map(t, weights_of(layer).values())
    axes = (2, 3, 0, 1), (3, 2, 0, 1)
    ports = [F.conv_transpose2d(first(IMAGES), kernel.permute(order), bias) for order in axes]
    return Shown(out(layer, IMAGES), *map(last, ports))


def same_padding(flavour: str) -> Shown:
    given = {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}
    layer = keras_layer("Conv2DTranspose", IMAGES, **given)
    kernel, bias = map(t, weights_of(layer).values())
    weight = kernel.permute(3, 2, 0, 1)
    naive = F.conv_transpose2d(first(IMAGES), weight, bias, 2, padding=1, output_padding=1)
    whole = F.conv_transpose2d(first(IMAGES), weight, bias, 2)
    return Shown(out(layer, IMAGES), last(naive), last(whole[..., :10, :10]))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "conv_transpose.kernel_layout": kernel_layout,
    "conv_transpose.same_padding": same_padding,
}
