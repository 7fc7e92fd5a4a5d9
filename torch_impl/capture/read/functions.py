"""PyTorch's functions that stand between modules, in Keras's terms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from parity.reference.layers import activations as formulas
from parity.reference.layers import dropout, merging
from parity.reference.layers.windowed import pooling
from torch_impl.capture.read import activations, space_functions
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.read.types import Function, Layouts, Reader, axis_of, dims_of, kwargs_dim


def layer_of(
    function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], layouts: Layouts
) -> Function | None:
    """The layer that a function is, given the layouts of its tensors; None where it is none."""
    name = name_of(function)
    if name in ACTIVATIONS:
        return Function(formulas.Activation(activation=ACTIVATIONS[name]), (args[0],))
    reader = READERS.get(name)
    if reader is None:
        return None
    try:
        return reader(layouts, *args, **kwargs)
    except (TypeError, IndexError):  # called in a way that the reader does not foresee
        return None


ACTIVATIONS = {
    **dict.fromkeys(("relu", "relu_"), "relu"),
    **dict.fromkeys(("sigmoid", "sigmoid_"), "sigmoid"),
    **dict.fromkeys(("tanh", "tanh_"), "tanh"),
    **dict.fromkeys(("selu", "selu_"), "selu"),
    "exp": "exponential",
    "silu": "swish",
    "mish": "mish",
    "softsign": "softsign",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_swish",
}


def _gelu(_: Any, x: Tensor, approximate: str = "none") -> Function:
    return Function(activations.gelu(approximate), (x,))


def _elu(_: Any, x: Tensor, alpha: float = 1.0, *__: Any, **___: Any) -> Function:
    return Function(activations.elu(alpha), (x,))


def _softplus(_: Any, x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Function:
    return Function(activations.softplus(beta), (x,))


def _softmax(layouts: Layouts, x: Tensor, dim: Any = None, *_: Any, **__: Any) -> Function | None:
    axis = axis_of(layouts[0] or Layout.plain(x.shape), dim)
    return None if axis is None else Function(activations.softmax(axis, x.ndim), (x,))


def _log_softmax(
    layouts: Layouts, x: Tensor, dim: Any = None, *_: Any, **__: Any
) -> Function | None:
    last = axis_of(layouts[0] or Layout.plain(x.shape), dim) == x.ndim - 1
    return Function(formulas.Activation(activation="log_softmax"), (x,)) if last else None


def _relu6(_: Any, x: Tensor, inplace: bool = False) -> Function:
    return Function(formulas.ReLU(max_value=6.0, negative_slope=0.0), (x,))


def _leaky(_: Any, x: Tensor, negative_slope: float = 0.01, *__: Any, **___: Any) -> Function:
    return Function(activations.leaky(negative_slope), (x,))


def _clamp(_: Any, x: Tensor, min: Any = None, max: Any = None) -> Function | None:
    if not isinstance(min, (int, float)) or min != 0 or isinstance(max, Tensor):
        return None
    if max is None:
        return Function(formulas.Activation(activation="relu"), (x,))
    return Function(formulas.ReLU(max_value=float(max), negative_slope=0.0), (x,))


def _hardtanh(
    _: Any, x: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Function | None:
    return _clamp(_, x, min_val, max_val)


def _dropout(kind: type[dropout.Dropout], spatial: bool = False) -> Reader:
    def read(_: Any, x: Tensor, p: float = 0.5, *others: Any, **__: Any) -> Function:
        return Function(kind(rate=p), (x,), spatial)

    return read


def _merge(config: Any) -> Reader:
    def read(_: Any, a: Any, b: Any, **kwargs: Any) -> Function | None:
        tensors = isinstance(a, Tensor) and isinstance(b, Tensor) and a.ndim == b.ndim > 1
        usual = kwargs.get("alpha", 1) == 1
        return Function(config, (a, b)) if tensors and usual else None

    return read


def _either(config: Any, reduction: Reader | None = None) -> Reader:
    """Of two tensors, or else along axes of one."""
    of_two = _merge(config)

    def read(layouts: Layouts, x: Tensor, *args: Any, **kwargs: Any) -> Function | None:
        if isinstance(kwargs.get("other", next(iter(args), None)), Tensor):
            return of_two(layouts, x, *args, **kwargs)
        return reduction(layouts, x, *args, **kwargs) if reduction else None

    return read


def _hstack(layouts: Layouts, tensors: Any) -> Function | None:
    return _cat(layouts, tensors, 1) if tensors[0].ndim > 1 else None


def _cat(layouts: Layouts, tensors: Any, dim: int = 0, **_: Any) -> Function | None:
    axis = axis_of(layouts[0] or Layout.plain(tensors[0].shape), kwargs_dim(dim, _))
    return None if axis is None else Function(merging.Concatenate(axis=axis), tuple(tensors))


READERS: dict[str, Reader] = {
    "gelu": _gelu,
    **dict.fromkeys(("elu", "elu_"), _elu),
    "softplus": _softplus,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "relu6": _relu6,
    **dict.fromkeys(("leaky_relu", "leaky_relu_"), _leaky),
    **dict.fromkeys(("clamp", "clamp_", "clip"), _clamp),
    **dict.fromkeys(("hardtanh", "hardtanh_"), _hardtanh),
    "dropout": _dropout(dropout.Dropout),
    "alpha_dropout": _dropout(dropout.AlphaDropout),
    "feature_alpha_dropout": _dropout(dropout.SpatialAlphaDropout, spatial=True),
    "dropout1d": _dropout(dropout.SpatialDropout1D, spatial=True),
    "dropout2d": _dropout(dropout.SpatialDropout2D, spatial=True),
    "dropout3d": _dropout(dropout.SpatialDropout3D, spatial=True),
    **{
        f"max_pool{rank}d": space_functions.pool(getattr(nn, f"MaxPool{rank}d"))
        for rank in (1, 2, 3)
    },
    **{
        f"avg_pool{rank}d": space_functions.pool(getattr(nn, f"AvgPool{rank}d"))
        for rank in (1, 2, 3)
    },
    **{
        f"adaptive_{short}_pool{rank}d": space_functions.pool(
            getattr(nn, f"Adaptive{name}Pool{rank}d")
        )
        for short, name in (("max", "Max"), ("avg", "Avg"))
        for rank in (1, 2, 3)
    },
    "mean": space_functions.global_pool(pooling.GlobalAveragePooling),
    "amax": space_functions.global_pool(pooling.GlobalMaxPooling),
    "max": _either(merging.Maximum(), space_functions.global_pool(pooling.GlobalMaxPooling)),
    "min": _either(merging.Minimum()),
    **dict.fromkeys(("add", "add_", "__add__", "__iadd__", "__radd__"), _merge(merging.Add())),
    **dict.fromkeys(("mul", "mul_", "__mul__", "__imul__", "__rmul__"), _merge(merging.Multiply())),
    **dict.fromkeys(("sub", "sub_", "__sub__", "__isub__"), _merge(merging.Subtract())),
    "maximum": _merge(merging.Maximum()),
    "minimum": _merge(merging.Minimum()),
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    "hstack": _hstack,
    "pad": space_functions.pad,
    "__getitem__": space_functions.slice_,
    "interpolate": space_functions.interpolate,
    "narrow": space_functions.narrow,
    "repeat_interleave": space_functions.repeat,
}


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
        "_pad_packed_sequence",
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

RESIZES = {"narrow", "repeat_interleave", "roll", "flip", "chunk", "split", "cat", "concat", "pad"}
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
