"""Demonstrations of the differences between activations, by id."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from parity.constants import as_float32
from parity.reference.layers.activations import FORMULAS, SELU_ALPHA, SELU_SCALE, Activation
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import gradient, keras_layer, n, normal, out, t

X = normal(100, 5)
NAMES = [*(name for name in FORMULAS if name and name != "gelu_tanh"), "hard_sigmoid"]
REFERENCES: list[tuple[Activation, Any, dict[str, Any]]] = [
    (Activation(activation=name), normal(4, 5, 6) * 3, {}) for name in NAMES
]


def of_name(name: str, x: np.ndarray = X) -> np.ndarray:
    return out(keras_layer("Activation", x, activation=name), x)


def slope(flavour: str) -> Shown:
    slopes = 0.01, as_float32(0.3)
    return Shown(
        out(keras_layer("LeakyReLU", X), X), *(n(F.leaky_relu(t(X), one)) for one in slopes)
    )


def float32_slope(flavour: str) -> Shown:
    slopes = 0.3, as_float32(0.3)
    return Shown(
        out(keras_layer("LeakyReLU", X), X), *(n(F.leaky_relu(t(X), one)) for one in slopes)
    )


def exact_gelu() -> np.ndarray:
    return n(0.5 * t(X) * torch.erfc(-t(X) * as_float32(0.5**0.5)))


def gelu_constant(flavour: str) -> Shown:
    return Shown(of_name("gelu"), n(F.gelu(t(X))), exact_gelu())


def gelu_approximate(flavour: str) -> Shown:
    return Shown(of_name("gelu"), n(F.gelu(t(X), approximate="tanh")), exact_gelu())


def softplus(flavour: str) -> Shown:
    x = np.arange(-10, 51) / 2.0
    return Shown(of_name("softplus", x), n(F.softplus(t(x))), n(F.softplus(t(x), threshold=40.0)))


def hard_sigmoid(flavour: str) -> Shown:
    x = X * 3
    faithful = (0.2 * t(x) + 0.5).clamp(0, 1)
    return Shown(of_name("hard_sigmoid", x), n(F.hardsigmoid(t(x))), n(faithful))


def softmax_axis(flavour: str) -> Shown:
    x = normal(4, 5, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        naive = n(torch.nn.Softmax()(t(x)))
    return Shown(of_name("softmax", x), naive, n(torch.nn.Softmax(dim=-1)(t(x))))


def prelu(flavour: str) -> Shown:
    x = normal(8, 5)
    keras = out(keras_layer("PReLU", x, {"alpha": 0.0}), x)
    alpha = torch.zeros(5, dtype=torch.float64)
    naive = torch.nn.PReLU().double()(t(x))
    return Shown(keras, n(naive), n(torch.where(t(x) > 0, t(x), alpha * t(x))))


def torch_gradient(function: Any) -> np.ndarray:
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    function(x).sum().backward()
    assert x.grad is not None
    return n(x.grad)


def selu(flavour: str) -> Shown:
    from keras_impl.framework import keras

    def written_out(x: torch.Tensor) -> torch.Tensor:
        return SELU_SCALE * torch.where(x >= 0, x, SELU_ALPHA * torch.expm1(x.clamp(max=0)))

    keras_gradient = gradient(keras.activations.selu, np.zeros(1))
    return Shown(keras_gradient, torch_gradient(F.selu), torch_gradient(written_out))


def maximum(flavour: str) -> Shown:
    from keras_impl.framework import tf

    zero = torch.zeros(1, dtype=torch.float64)
    return Shown(
        gradient(lambda x: tf.maximum(x, tf.zeros_like(x)), np.zeros(1)),
        torch_gradient(functools.partial(torch.maximum, other=zero)),
        torch_gradient(lambda x: torch.where(x >= 0, x, zero)),
    )


DEMONSTRATIONS: dict[str, Demonstration] = {
    "leaky_relu.slope": slope,
    "leaky_relu.float32_slope": float32_slope,
    "gelu.float32_constant": gelu_constant,
    "gelu.approximate": gelu_approximate,
    "softplus.threshold": softplus,
    "hard_sigmoid.slope": hard_sigmoid,
    "softmax.axis": softmax_axis,
    "prelu.parameters": prelu,
    "selu.gradient_at_zero": selu,
    "maximum.gradient_at_zero": maximum,
}
