"""What is read off a function of PyTorch's that is a layer in Keras's terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from torch_impl.capture.read.layout import Layout


@dataclass(frozen=True)
class Function:
    """A call of a function that is a layer in Keras.

    Attributes:
        config: of :mod:`parity.reference.layers`.
        inputs: the tensors that go in.
        spatial: whether their second axis is taken for channels.
        target: of the inputs alone, where the function itself was given others.
    """

    config: Any
    inputs: tuple[Tensor, ...]
    spatial: bool = False
    target: Callable[..., Any] | None = None


Reader = Callable[..., "Function | None"]
Layouts = list[Layout | None]


def axis_of(layout: Layout, dim: int | None) -> int | None:
    """Canonical place of an axis; None where it, or one before it, is of several."""
    if dim is None or any(one != 1 for one in layout.merged[:-1]):
        return None
    number = dim % len(layout.merged)
    last = number == len(layout.merged) - 1
    if layout.merged[-1] != 1:
        return number if last else None
    return layout.axes[number]


def kwargs_dim(dim: int, given: Mapping[str, Any]) -> int:
    """``dim`` by its other name as well."""
    return int(given.get("axis", dim))


def dims_of(args: tuple[Any, ...], kwargs: Mapping[str, Any], rank: int) -> set[int] | None:
    """Axes that a reduction is over, counted from 0; None where it does not say."""
    given = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else None))
    several = given if isinstance(given, (tuple, list)) else [given]
    if any(isinstance(one, bool) or not isinstance(one, int) for one in several):
        return None
    return {one % rank for one in several}
