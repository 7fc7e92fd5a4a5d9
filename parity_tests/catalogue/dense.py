"""Demonstrations of the differences between dense layers, by id."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from parity.reference.layers.dense import Dense
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import keras_layer, n, normal, out, t, weights_of

REFERENCES: list[tuple[Dense, Any, dict[str, Any]]] = [
    (Dense(units=4, activation=None, use_bias=True), normal(6, 5), {}),
    (Dense(units=1, activation="sigmoid", use_bias=False), normal(6, 5), {}),
    (Dense(units=3, activation="hard_sigmoid", use_bias=True), normal(2, 7, 5), {}),
]


def layout(flavour: str) -> Shown:
    x = normal(6, 5)
    layer = keras_layer("Dense", x, units=5)
    kernel, bias = map(t, weights_of(layer).values())
    return Shown(out(layer, x), n(F.linear(t(x), kernel, bias)), n(F.linear(t(x), kernel.T, bias)))


def initializers(flavour: str) -> Shown:
    from keras_impl.framework import keras, set_dtype

    set_dtype("float64")
    layer = keras.layers.Dense(5)
    layer.build((None, 5))
    torch.manual_seed(0)
    port = torch.nn.Linear(5, 5).double()
    naive = n(port.bias).copy()
    torch.nn.init.zeros_(port.bias)
    return Shown(layer.bias.numpy(), naive, n(port.bias))


def activation(flavour: str) -> Shown:
    x = normal(6, 5)
    layer = keras_layer("Dense", x, units=5, activation="relu")
    kernel, bias = map(t, weights_of(layer).values())
    port = F.linear(t(x), kernel.T, bias)
    return Shown(out(layer, x), n(port), n(port.relu()))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "dense.kernel_layout": layout,
    "dense.initializers": initializers,
    "dense.activation": activation,
}
