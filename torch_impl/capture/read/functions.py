"""PyTorch's functions that stand between modules, in Keras's terms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from torch_impl.capture.read.layout import Layout
from torch_impl.capture.read.registry import FUNCTIONS, Function, Layouts, dims_of
from torch_impl.private_api import PADDED


def layer_of(
    function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], layouts: Layouts
) -> Function | None:
    """The layer that a function is, given the layouts of its tensors; None where it is none."""
    reader = FUNCTIONS.get(name_of(function))
    if reader is None:
        return None
    try:
        return reader(layouts, *args, **kwargs)
    except (TypeError, IndexError):  # called in a way that the reader does not foresee
        return None


MOVES = {
    *("permute", "transpose", "swapaxes", "t", "T", "mT", "movedim", "view", "reshape", "flatten"),
    *(
        "squeeze",
        "unflatten",
        "unsqueeze",
        "contiguous",
        "clone",
        "detach",
        "__getitem__",
        "select",
    ),
    *("gather", "index_select", "cat", "concat", "stack", "unbind", "chunk", "split", "hstack"),
    *(
        PADDED,
        "narrow",
        "view_as",
        "repeat_interleave",
        "roll",
        "flip",
        "expand",
        "__iter__",
    ),
}
"""Functions that move entries about and compute nothing."""


LOOKS = {"shape", "dtype", "device", "ndim", "size", "dim", "__len__", "is_cuda", "numel"}
"""What is asked of a tensor and gives none."""

TURNS = {"permute", "transpose", "swapaxes", "t", "T", "mT", "movedim"}
"""Those that give the axes another order."""


PRODUCTS = {"matmul", "__matmul__", "bmm", "baddbmm", "einsum", "scaled_dot_product_attention"}
"""Those that sum over an axis of two tensors."""


def name_of(function: Any) -> str:
    """A function's name; of an attribute of tensors the attribute's."""
    name = getattr(function, "__name__", "")
    return getattr(function.__self__, "__name__", name) if name == "__get__" else name


REDUCTIONS = {"mean", "sum", "amax", "amin", "max", "min", "prod", "std", "var", "logsumexp"}
"""Those that leave out the axes that they go along."""

RESIZES = {
    *("narrow", "repeat_interleave", "roll", "flip", "chunk", "split", "cat", "concat", "pad"),
    *("pixel_shuffle", "pixel_unshuffle"),
}
"""Those that leave the axes where they are, and give them other sizes."""


def moved(
    function: Any, layout: Layout, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Tensor
) -> Layout | None:
    """The layout of what a function gives that is no layer; None where that is not known."""
    name, shape = name_of(function), tuple(out.shape)
    if name in TURNS:
        return layout.permuted(_order(name, args[1:], kwargs, len(layout.merged)))
    if name in ("view", "reshape", "flatten", "squeeze", "unflatten", "unsqueeze"):
        return layout.reshaped(shape) if math.prod(shape) == math.prod(layout.shape) else None
    rank = len(layout.merged)
    if name == "stack":
        dim = kwargs.get("dim", args[1] if len(args) > 1 else 0)
        return layout.stacked(dim, out.shape[dim])
    if name in PRODUCTS:  # whose axes are others, even where they are as long
        return None
    if name in REDUCTIONS and out.ndim < rank:
        dims = dims_of(args, kwargs, rank)
        return layout.without(sorted(dims)) if dims else None
    if name in ("select", "unbind"):
        dim = kwargs.get("dim", args[1] if len(args) > 1 else 0)
        return layout.without([dim])
    if name == "__getitem__":
        return _indexed(layout, args[1], shape)
    return layout if shape == layout.shape else layout.resized(shape) if name in RESIZES else None


def _order(name: str, rest: tuple[Any, ...], kwargs: Mapping[str, Any], rank: int) -> list[int]:
    """Which axis comes where, of those that turn."""
    order = list(range(rank))
    given = [*rest, *kwargs.values()]
    if name == "permute":
        return list(given[0] if isinstance(given[0], (tuple, list)) else given)
    if name == "movedim":
        order.insert(given[1] % rank, order.pop(given[0] % rank))
    elif rank > 1:
        a, b = given if len(given) == 2 else (-2, -1)
        order[a], order[b] = order[b], order[a]
    return order


def _indexed(layout: Layout, index: Any, shape: tuple[int, ...]) -> Layout | None:
    """After slices, and numbers that leave an axis out."""
    index = index if isinstance(index, tuple) else (index,)
    if not all(isinstance(one, (int, slice, type(...))) for one in index):
        return layout if shape == layout.shape else None
    place = next((n for n, one in enumerate(index) if one is ...), len(index))
    gap = len(layout.merged) - sum(one is not ... for one in index)
    full = (*index[:place], *(slice(None),) * gap, *index[place + 1 :])
    rest = layout.without([n for n, one in enumerate(full) if isinstance(one, int)])
    if rest is None:
        return layout if shape == layout.shape else None
    return rest.resized(shape)
