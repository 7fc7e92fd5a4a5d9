"""Pairs of activations: as layers, as strings and as functions."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from parity_tests.pairs.zoo.building import KERAS_3, Kind, Net, one, only

ROWS, SERIES, IMAGE = (3, 6), (2, 7, 4), (2, 5, 5, 4)

BY_NAME: dict[str, tuple[Any, Any]] = {
    "relu": (nn.ReLU, F.relu),
    "elu": (nn.ELU, F.elu),
    "selu": (nn.SELU, torch.selu),
    "gelu": (nn.GELU, F.gelu),
    "swish": (nn.SiLU, F.silu),
    "mish": (nn.Mish, F.mish),
    "softplus": (nn.Softplus, F.softplus),
    "softsign": (nn.Softsign, F.softsign),
    "tanh": (nn.Tanh, torch.tanh),
    "sigmoid": (nn.Sigmoid, torch.sigmoid),
    "exponential": (lambda: Net(lambda _, x: x.exp()), torch.exp),
    "softmax": (lambda: nn.Softmax(-1), lambda x: x.softmax(-1)),
    "log_softmax": (lambda: nn.LogSoftmax(-1), lambda x: F.log_softmax(x, -1)),
    "relu6": (nn.ReLU6, F.relu6),
    "leaky_relu": (lambda: nn.LeakyReLU(0.2), lambda x: F.leaky_relu(x, 0.2)),
}
"""PyTorch's module and function for each Keras activation."""


def in_dense(name: str, module: Any) -> Kind:
    return one(
        f"{name}.in_dense",
        ROWS,
        lambda L: L.Dense(5, activation=name),
        lambda: nn.Sequential(nn.Linear(6, 5), module()),
        2,
    )


def gelu_tanh(L: Any) -> Any:
    """The tanh approximation as a function written by the user."""
    keras = importlib_of(L)
    return L.Dense(5, activation=lambda x: keras.activations.gelu(x, approximate=True))


def importlib_of(L: Any) -> Any:
    """The Keras package of these layers."""
    import importlib

    return importlib.import_module("tf_keras" if L.__name__.startswith("tf_keras") else "keras")


def partial(L: Any) -> Any:
    return L.Activation(functools.partial(importlib_of(L).activations.gelu, approximate=True))


ACTIVATIONS = [
    *(in_dense(name, module) for name, (module, _) in BY_NAME.items()),
    *(
        one(f"{name}.layer", SERIES, lambda L, n=name: L.Activation(n), only(function))
        for name, (_, function) in BY_NAME.items()
    ),
    one(
        "gelu_tanh.lambda",
        ROWS,
        gelu_tanh,
        lambda: nn.Sequential(nn.Linear(6, 5), nn.GELU("tanh")),
        2,
    ),
    one("gelu_tanh.partial", ROWS, partial, only(lambda x: F.gelu(x, approximate="tanh"))),
    one(
        "hard_sigmoid.keras3",
        ROWS,
        lambda L: L.Activation("hard_sigmoid"),
        lambda: nn.Hardsigmoid(),
        flavours=KERAS_3,
    ),
    one(
        "hard_swish",
        ROWS,
        lambda L: L.Activation("hard_swish"),
        lambda: nn.Hardswish(),
        flavours=KERAS_3,
    ),
    one("relu.class", IMAGE, lambda L: L.ReLU(), lambda: nn.ReLU(inplace=True)),
    one("relu.inplace", IMAGE, lambda L: L.ReLU(), only(lambda x: x.clone().relu_())),
    one("relu.clamp", IMAGE, lambda L: L.ReLU(), only(lambda x: x.clamp(min=0))),
    one("relu6.class", IMAGE, lambda L: L.ReLU(max_value=6), only(lambda x: F.hardtanh(x, 0, 6))),
    one("relu.both", IMAGE, lambda L: L.ReLU(negative_slope=0.1), lambda: nn.LeakyReLU(0.1)),
    one("leaky_relu.class", IMAGE, lambda L: L.LeakyReLU(), lambda: nn.LeakyReLU(0.3)),
    one(
        "leaky_relu.instance",
        ROWS,
        lambda L: L.Dense(5, activation=L.LeakyReLU(0.1)),
        lambda: nn.Sequential(nn.Linear(6, 5), nn.LeakyReLU(0.1)),
        2,
    ),
    one("elu.alpha", IMAGE, lambda L: L.ELU(0.5), lambda: nn.ELU(0.5)),
    one("prelu", ROWS, lambda L: L.PReLU(), lambda: nn.PReLU(6)),
    one("prelu.channels", IMAGE, lambda L: L.PReLU(shared_axes=[1, 2]), lambda: nn.PReLU(4)),
    one("prelu.single", IMAGE, lambda L: L.PReLU(shared_axes=[1, 2, 3]), lambda: nn.PReLU()),
    one(
        "prelu.function",
        IMAGE,
        lambda L: L.PReLU(shared_axes=[1, 2]),
        lambda: Net(lambda self, x: F.prelu(x, self.a), a=nn.Parameter(torch.randn(4))),
    ),
    one("softmax.class", ROWS, lambda L: L.Softmax(), lambda: nn.Softmax(dim=1)),
    one("softmax.axis", SERIES, lambda L: L.Softmax(axis=1), lambda: nn.Softmax(dim=1)),
    one("softmax.channels", IMAGE, lambda L: L.Softmax(), lambda: nn.Softmax(dim=1)),
    one(
        "activation.lambda",
        ROWS,
        lambda L: L.Dense(5, activation=lambda x: x * 0.5),
        lambda: Net(lambda self, x: self.a(x) * 0.5, a=nn.Linear(6, 5)),
        1,
        alone=("<lambda>",),
        unknown=("<lambda>",),
    ),
    one("softmax.rows", IMAGE, lambda L: L.Softmax(axis=1), only(lambda x: x.softmax(2))),
    one("softmax.columns", IMAGE, lambda L: L.Softmax(axis=2), lambda: nn.Softmax(-1)),
    one("softmax.2d", IMAGE, lambda L: L.Softmax(), lambda: nn.Softmax2d()),
    one("elu.function", IMAGE, lambda L: L.ELU(0.5), only(lambda x: F.elu(x, alpha=0.5))),
]
ROUNDED = ("gelu", "leaky_relu", "relu.both")
"""Name prefixes of the activations with a constant that Keras rounds to float32."""
ACTIVATIONS = [replace(kind, rounded=kind.name.startswith(ROUNDED)) for kind in ACTIVATIONS]
