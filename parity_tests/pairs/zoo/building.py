"""Small models, written as users write them, and weights that are nowhere zero or one."""

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
        name: of the case.
        shapes: of the inputs, as Keras takes them; (…, 'n') whole numbers below n.
        keras: of the Keras package, gives a model.
        torch: gives a module.
        pairs: how many layers are found to belong together.
        alone: classes of layers, and kinds of functions, that only one side has.
        apart: whether one side has in a step of its own what the other's layer does.
        unknown: likewise, of those that are known by input and output alone.
        flavours: the Kerases that have such a layer.
        own: the PyTorch inputs, made of the Keras ones.
        rounded: whether Keras rounds a constant of it to float32.
        padded: whether the sequences' ends are zeros.
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
        """Arrays of the shapes."""
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
    """Parts by name, and what is done with them."""

    def __init__(self, run: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs: Any) -> Any:
        """What is done with them."""
        return self.run(self, *inputs)


def filled(model: Any, positive: tuple[str, ...] = ()) -> Any:
    """The Keras model with random weights, positive where they are variances, or of these names."""
    rng = np.random.default_rng(3)
    for variable in model.variables:
        if "float" in str(variable.dtype):
            value = rng.standard_normal(tuple(variable.shape)) * 0.4
            name = getattr(variable, "path", variable.name)
            above = any(one in name for one in ("variance", *positive))
            variable.assign(np.abs(value) + 0.5 if above else value)
    return model


def chain(*layers: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A Sequential of what each makes of Keras's layers; its input is of the shape in front."""

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
    """A pair of one input."""
    layers = layer if isinstance(layer, tuple) else (layer,)
    inner = shape[1:-1] if isinstance(shape[-1], str) else shape[1:]
    whole = "int32" if isinstance(shape[-1], str) else None
    return Kind(name, (shape,), lambda k: chain(*layers)(k, inner, whole), torch, pairs, **more)


def only(run: Callable[..., Any]) -> Callable[[], Net]:
    """A function."""
    return lambda: Net(lambda _, *x: run(*x))


def turned(*parts: nn.Module) -> Net:
    """Sequences (N, T, C) through modules that want the channels first."""
    net = nn.Sequential(*parts)
    return Net(lambda self, x: self.net(x.transpose(1, 2)).transpose(1, 2), net=net)


IMAGE, SERIES, VOLUME, ROWS = (2, 9, 8, 4), (2, 7, 4), (2, 6, 5, 4, 2), (3, 6)
SHAPES = {1: SERIES, 2: IMAGE, 3: VOLUME}


def spatial(rank: int, make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """A module of that rank, for a model whose sequences come channels last."""
    return (lambda: turned(make())) if rank == 1 else make
