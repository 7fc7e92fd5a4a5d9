"""Readers of activations, as modules and as functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from parity.reference.layers import activations
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.read.registry import (
    Config,
    Function,
    FunctionReader,
    Layouts,
    axis_of,
    function,
    holding,
    parameter_function,
    reader,
)
from torch_impl.ladder.weights import Place


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


PLAIN: dict[str, tuple[type[nn.Module] | None, tuple[str, ...]]] = {
    "relu": (nn.ReLU, ("relu", "relu_")),
    "sigmoid": (nn.Sigmoid, ("sigmoid", "sigmoid_")),
    "tanh": (nn.Tanh, ("tanh", "tanh_")),
    "selu": (nn.SELU, ("selu", "selu_")),
    "swish": (nn.SiLU, ("silu",)),
    "mish": (nn.Mish, ("mish",)),
    "softsign": (nn.Softsign, ("softsign",)),
    "hard_sigmoid": (nn.Hardsigmoid, ("hardsigmoid",)),
    "hard_swish": (nn.Hardswish, ("hardswish",)),
    "exponential": (None, ("exp",)),
}
"""Keras's name of an activation without constants to PyTorch's module and functions."""


def _plain(name: str) -> FunctionReader:
    return lambda _, x, *__, **___: Function(activations.Activation(activation=name), (x,))


def _plain_module(name: str) -> Callable[[Any], Config]:
    return lambda _: activations.Activation(activation=name)


for _name, (_module, _functions) in PLAIN.items():
    function(*_functions)(_plain(_name))
    if _module:
        reader(_module)(_plain_module(_name))


@reader(nn.ReLU6)
def _relu6_module(_: nn.ReLU6) -> Config:
    return activations.ReLU(max_value=6.0, negative_slope=0.0)


@reader(nn.LeakyReLU)
def _leaky_module(module: nn.LeakyReLU) -> Config:
    return leaky(module.negative_slope)


@reader(nn.GELU)
def _gelu_module(module: nn.GELU) -> Config:
    return gelu(module.approximate)


@reader(nn.ELU)
def _elu_module(module: nn.ELU) -> Config:
    return elu(module.alpha)


@reader(nn.Softplus)
def _softplus_module(module: nn.Softplus) -> Config:
    return softplus(module.beta)


def _slopes(weight: Tensor, rank: int) -> Place:
    """One for all entries, or for each channel, of an input of so many axes."""
    shape = (1,) * (rank - 2) + (-1,)
    return Place((weight,), lambda value: value.reshape(shape), lambda value: (value.flatten(),))


@reader(
    nn.PReLU,
    weights=lambda module, layouts: {"alpha": _slopes(module.weight, len(layouts[0].merged))},
)
def _prelu_module(_: nn.PReLU) -> Config:
    return activations.PReLU()


@parameter_function("prelu")
def _prelu(input: Tensor, weight: Tensor) -> tuple[nn.Module, Tensor]:
    return holding(nn.PReLU(weight.numel(), device="meta"), weight=weight), input


@function("gelu")
def _gelu(_: Any, x: Tensor, approximate: str = "none") -> Function:
    return Function(gelu(approximate), (x,))


@function("elu", "elu_")
def _elu(_: Any, x: Tensor, alpha: float = 1.0, *__: Any, **___: Any) -> Function:
    return Function(elu(alpha), (x,))


@function("softplus")
def _softplus(_: Any, x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Function:
    return Function(softplus(beta), (x,))


@function("softmax")
def _softmax(layouts: Layouts, x: Tensor, dim: Any = None, *_: Any, **__: Any) -> Function | None:
    axis = axis_of(layouts[0] or Layout.plain(x.shape), dim)
    return None if axis is None else Function(softmax(axis, x.ndim), (x,))


@function("log_softmax")
def _log_softmax(
    layouts: Layouts, x: Tensor, dim: Any = None, *_: Any, **__: Any
) -> Function | None:
    last = axis_of(layouts[0] or Layout.plain(x.shape), dim) == x.ndim - 1
    return Function(activations.Activation(activation="log_softmax"), (x,)) if last else None


@function("relu6")
def _relu6(_: Any, x: Tensor, inplace: bool = False) -> Function:
    return Function(activations.ReLU(max_value=6.0, negative_slope=0.0), (x,))


@function("leaky_relu", "leaky_relu_")
def _leaky(_: Any, x: Tensor, negative_slope: float = 0.01, *__: Any, **___: Any) -> Function:
    return Function(leaky(negative_slope), (x,))


@function("clamp", "clamp_", "clip")
def _clamp(_: Any, x: Tensor, min: Any = None, max: Any = None) -> Function | None:
    if not isinstance(min, (int, float)) or min != 0 or isinstance(max, Tensor):
        return None
    if max is None:
        return Function(activations.Activation(activation="relu"), (x,))
    return Function(activations.ReLU(max_value=float(max), negative_slope=0.0), (x,))


@function("hardtanh", "hardtanh_")
def _hardtanh(
    _: Any, x: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Function | None:
    return _clamp(_, x, min_val, max_val)
