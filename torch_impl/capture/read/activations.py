"""PyTorch's activations in Keras's terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from parity.reference.layers import activations

Config = Any


def softmax(axis: int, rank: int) -> Config:
    """Along a canonical axis."""
    axis = axis % rank - rank
    if axis == -1:
        return activations.Activation(activation="softmax")
    return activations.Softmax(axis=axis)


def elu(alpha: float) -> Config:
    """The unit of that slope's height."""
    usual = alpha == 1.0
    return activations.Activation(activation="elu") if usual else activations.ELU(alpha=alpha)


def leaky(slope: float) -> Config:
    """The unit of that slope."""
    return activations.ReLU(max_value=None, negative_slope=slope)


def softplus(beta: float) -> Config:
    """The unit; None where it is stretched."""
    return activations.Activation(activation="softplus") if beta == 1.0 else None


def gelu(approximate: str) -> Config:
    """The unit, exact or not."""
    return activations.Activation(activation="gelu" if approximate == "none" else "gelu_tanh")


def _activation(name: str) -> Callable[[Any], Config]:
    return lambda _: activations.Activation(activation=name)


READERS: dict[type[nn.Module], Callable[[Any], Config]] = {
    nn.ReLU: _activation("relu"),
    nn.ReLU6: lambda _: activations.ReLU(max_value=6.0, negative_slope=0.0),
    nn.LeakyReLU: lambda module: leaky(module.negative_slope),
    nn.Sigmoid: _activation("sigmoid"),
    nn.Tanh: _activation("tanh"),
    nn.SiLU: _activation("swish"),
    nn.GELU: lambda module: gelu(module.approximate),
    nn.ELU: lambda module: elu(module.alpha),
    nn.PReLU: lambda _: activations.PReLU(),
    nn.Mish: _activation("mish"),
    nn.Hardswish: _activation("hard_swish"),
    nn.SELU: _activation("selu"),
    nn.Softsign: _activation("softsign"),
    nn.Hardsigmoid: _activation("hard_sigmoid"),
    nn.Softplus: lambda module: softplus(module.beta),
}
"""Class to what reads its configuration."""
