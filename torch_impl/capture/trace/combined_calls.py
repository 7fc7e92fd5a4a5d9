"""Functions that are one of Keras's layers only together: a stack and its sum, a mean of a mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from parity.adapters.nesting import flat
from parity.reference.layers import merging
from parity.reference.layers.windowed import pooling
from torch_impl.capture.read import functions
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.read.registry import Function, dims_of
from torch_impl.capture.trace.trace import Trace


@dataclass(frozen=True)
class Begun:
    """What a function that is no layer by itself has made of its inputs.

    Attributes:
        result: the tensor, kept, or its id would be another's.
        inputs: what it was made of.
        again: the same of other inputs.
        name: the function's.
        dims: axes of the result that make up what is missing, any set of which completes it.
    """

    result: Tensor
    inputs: tuple[Tensor, ...]
    again: Callable[..., Tensor]
    name: str
    dims: frozenset[int]


OF_STACKS = {
    "sum": merging.Add(),
    "mean": merging.Average(),
    **dict.fromkeys(("amax", "max"), merging.Maximum()),
    **dict.fromkeys(("amin", "min"), merging.Minimum()),
}
POOLS = {
    "mean": pooling.GlobalAveragePooling,
    **dict.fromkeys(("amax", "max"), pooling.GlobalMaxPooling),
}


def completed(
    trace: Trace, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Function | None:
    """The layer that a function completes; None where it does not."""
    name = functions.name_of(func)
    begun = trace.begun.get(id(args[0])) if args else None
    if begun is None or name not in OF_STACKS or kwargs.get("keepdim") or len(args) > 2:
        return None
    if dims_of(args, kwargs, begun.result.ndim) != begun.dims:
        return None
    again = begun.again

    def target(*values: Tensor) -> Any:
        return func(again(*values), *args[1:], **kwargs)

    if begun.name == "stack":
        return Function(OF_STACKS[name], begun.inputs, target=target)
    own = "amax" if name == "max" else name
    if name not in POOLS or begun.name not in (own, "view"):
        return None
    rank = begun.inputs[0].ndim - 2
    return Function(POOLS[name](rank=rank, keepdims=False), begun.inputs, target=target)


def begin(
    trace: Trace, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any
) -> None:
    """Remember a stack, axes of space made one, and a reduction along some of them."""
    name = functions.name_of(func)
    first = next((one for one in flat((out,)) if isinstance(one, Tensor)), None)
    if first is None or not args:
        return
    x, found = args[0], None
    if name == "stack" and all(isinstance(one, Tensor) for one in x):
        dim = kwargs.get("dim", args[1] if len(args) > 1 else 0) % first.ndim
        found = Begun(first, tuple(x), lambda *new: torch.stack(new, dim), name, frozenset({dim}))
    elif isinstance(x, Tensor):
        layout = trace.layout(x)
        if layout is None or layout.resized(x.shape) is None or x.ndim < 4:
            return
        space = {place for place, axis in enumerate(layout.axes) if 0 < axis < x.ndim - 1}
        if name in ("flatten", "view", "reshape"):
            found = _viewed(x, layout, first, space)
        elif name in POOLS and not kwargs.get("keepdim") and len(args) < 3:
            gone = dims_of(args, kwargs, x.ndim)
            if gone and gone < space:
                kept = [place for place in range(x.ndim) if place not in gone]
                left = frozenset(kept.index(place) for place in space - gone)
                begun = _first_of(func, args, kwargs)
                name = "amax" if name == "max" else name
                found = Begun(first, (x,), begun, name, left)
    if found is not None:
        trace.begun[id(first)] = found


def _first_of(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    def again(x: Tensor) -> Any:
        return next(iter(flat((func(x, *args[1:], **kwargs),))))

    return again


def _viewed(x: Tensor, layout: Layout, out: Tensor, space: set[int]) -> Begun | None:
    """A map whose axes of space have become one."""
    shape = tuple(out.shape)
    merged_layout = layout.reshaped(shape)
    if merged_layout is None or merged_layout.merged.count(1) != len(merged_layout.merged) - 1:
        return None
    place = next(n for n, count in enumerate(merged_layout.merged) if count != 1)
    if set(range(place, place + merged_layout.merged[place])) != space:
        return None
    return Begun(out, (x,), lambda new: new.reshape(shape), "view", frozenset({place}))
