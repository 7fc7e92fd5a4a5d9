"""Builders of small model pairs, with weights that are never zero or one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

KERAS_2, KERAS_3 = ("tf_keras",), ("keras3",)


@dataclass(frozen=True)
class Kind:
    """A faithful pair of one kind of layer.

    Attributes:
        name: name of the case.
        shapes: shapes of the Keras inputs; (…, 'n') stands for integers below n.
        keras: a function of the Keras package that builds the model.
        torch: builds the module.
        pairs: the expected number of aligned layers.
        alone: kinds of layers and functions that only one side has.
        apart: whether one side does in a separate step what the other does in one layer.
        unknown: layers without a reference, compared by input and output only.
        flavours: the Keras versions that have this layer.
        own: makes the PyTorch inputs from the Keras inputs.
        rounded: whether Keras rounds a constant of the layer to float32.
        padded: whether the sequences end in zeros.
    """

    name: str
    shapes: tuple[tuple[Any, ...], ...]
    keras: Callable[[Any], Any]
    torch: Callable[[], nn.Module]
    pairs: int = 1
    alone: tuple[str, ...] = ()
    apart: bool = False
    unknown: tuple[str, ...] = ()
    flavours: tuple[str, ...] = ("tf_keras", "keras3")
    own: Callable[..., Any] | None = None
    padded: bool = False
    rounded: bool = False

    def inputs(self) -> list[np.ndarray]:
        """Random input arrays of the declared shapes."""
        rng = np.random.default_rng(5)
        found = []
        for shape in self.shapes:
            if isinstance(shape[-1], str):
                found.append(rng.integers(0, int(shape[-1]), shape[:-1]))
            else:
                found.append(rng.standard_normal(shape))
        if self.padded:
            for number in range(len(found[0])):
                found[0][number, 2 + number :] = 0
            found[0][:, :2] += found[0][:, :2] == 0
        return found


class Net(nn.Module):
    """A module from named submodules and a forward function."""

    def __init__(self, run: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs: Any) -> Any:
        """Call the forward function."""
        return self.run(self, *inputs)


def filled(model: Any, positive: tuple[str, ...] = ()) -> Any:
    """Give a Keras model random weights; variances and weights of these names are positive."""
    rng = np.random.default_rng(3)
    for variable in model.variables:
        if "float" in str(variable.dtype):
            value = rng.standard_normal(tuple(variable.shape)) * 0.4
            name = getattr(variable, "path", variable.name)
            above = any(one in name for one in ("variance", *positive))
            variable.assign(np.abs(value) + 0.5 if above else value)
    return model


def chain(*layers: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that builds a Sequential from an input shape and functions of keras.layers."""

    def build(keras: Any, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        given = {"dtype": dtype} if dtype else {}
        return keras.Sequential(
            [keras.Input(shape, **given), *(one(keras.layers) for one in layers)]
        )

    return build


def one(
    name: str,
    shape: tuple[Any, ...],
    layer: Callable[[Any], Any] | tuple[Callable[[Any], Any], ...],
    torch: Callable[[], nn.Module],
    pairs: int = 1,
    **more: Any,
) -> Kind:
    """A pair with one input."""
    layers = layer if isinstance(layer, tuple) else (layer,)
    inner = shape[1:-1] if isinstance(shape[-1], str) else shape[1:]
    whole = "int32" if isinstance(shape[-1], str) else None
    return Kind(name, (shape,), lambda k: chain(*layers)(k, inner, whole), torch, pairs, **more)


def only(run: Callable[..., Any]) -> Callable[[], Net]:
    """A module that calls a function."""
    return lambda: Net(lambda _, *x: run(*x))


def turned(*parts: nn.Module) -> Net:
    """A module that transposes (N, T, C) to channels-first and back around these modules."""
    net = nn.Sequential(*parts)
    return Net(lambda self, x: self.net(x.transpose(1, 2)).transpose(1, 2), net=net)


IMAGE, SERIES, VOLUME, ROWS = (2, 9, 8, 4), (2, 7, 4), (2, 6, 5, 4, 2), (3, 6)
SHAPES = {1: SERIES, 2: IMAGE, 3: VOLUME}


def spatial(rank: int, make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """A channels-first module for channels-last sequences."""
    return (lambda: turned(make())) if rank == 1 else make
