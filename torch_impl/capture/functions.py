"""PyTorch's functions that stand between modules, in Keras's terms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from parity.layers import activations as formulas
from parity.layers import dropout, merging, pooling
from torch_impl.capture import activations, windows
from torch_impl.capture.layout import Layout


@dataclass(frozen=True)
class Function:
    """A call of a function that is a layer in Keras.

    Attributes:
        config: of :mod:`parity.layers`.
        inputs: the tensors that go in.
        spatial: whether their second axis is taken for channels.
    """

    config: Any
    inputs: tuple[Tensor, ...]
    spatial: bool = False


Reader = Callable[..., "Function | None"]
Layouts = list[Layout | None]


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
    axis = _axis(layouts[0] or Layout.plain(x.shape), dim)
    return None if axis is None else Function(activations.softmax(axis, x.ndim), (x,))


def _log_softmax(
    layouts: Layouts, x: Tensor, dim: Any = None, *_: Any, **__: Any
) -> Function | None:
    last = _axis(layouts[0] or Layout.plain(x.shape), dim) == x.ndim - 1
    return Function(formulas.Activation(activation="log_softmax"), (x,)) if last else None


def _axis(layout: Layout, dim: int | None) -> int | None:
    """Canonical place of an axis; None where it, or one before it, is of several."""
    if dim is None or any(one != 1 for one in layout.merged[:-1]):
        return None
    number = dim % len(layout.merged)
    last = number == len(layout.merged) - 1
    if layout.merged[-1] != 1:
        return number if last else None
    return layout.axes[number]


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


def _pool(module: Callable[..., nn.Module]) -> Reader:
    def read(_: Any, x: Tensor, *args: Any, **kwargs: Any) -> Function:
        from torch_impl.capture.modules import config_of

        return Function(config_of(module(*args, **kwargs), x.shape), (x,), spatial=True)

    return read


def _global(kind: type[pooling.GlobalMaxPooling]) -> Reader:
    def read(
        layouts: Layouts, x: Tensor, dim: Any = None, keepdim: bool = False, **_: Any
    ) -> Function | None:
        """A mean or a maximum over all axes of space is a global pool."""
        layout = layouts[0]
        if layout is None or dim is None or any(one != 1 for one in layout.merged):
            return None
        several = dim if isinstance(dim, (tuple, list)) else [dim]
        if {layout.axes[one % x.ndim] for one in several} != set(range(1, x.ndim - 1)):
            return None
        return Function(kind(rank=x.ndim - 2, keepdims=keepdim), (x,))

    return read


def _merge(config: Any) -> Reader:
    def read(_: Any, a: Any, b: Any, **kwargs: Any) -> Function | None:
        tensors = isinstance(a, Tensor) and isinstance(b, Tensor) and a.ndim == b.ndim > 1
        usual = kwargs.get("alpha", 1) == 1
        return Function(config, (a, b)) if tensors and usual else None

    return read


def _cat(layouts: Layouts, tensors: Any, dim: int = 0, **_: Any) -> Function | None:
    axis = _axis(layouts[0] or Layout.plain(tensors[0].shape), kwargs_dim(dim, _))
    return None if axis is None else Function(merging.Concatenate(axis=axis), tuple(tensors))


def kwargs_dim(dim: int, given: Mapping[str, Any]) -> int:
    """``dim`` by its other name as well."""
    return int(given.get("axis", dim))


def _pad(
    layouts: Layouts, x: Tensor, pad: Any, mode: str = "constant", value: Any = None
) -> Function | None:
    pairs = list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    own = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    if mode != "constant" or value:
        return None
    return _space(layouts[0], x, [(int(before), int(after)) for before, after in own])


def _space(layout: Layout | None, x: Tensor, sides: list[tuple[int, int]]) -> Function | None:
    """A layer that lengthens or shortens the axes of space."""
    if layout is None or any(one != 1 for one in layout.merged) or x.ndim < 3:
        return None
    canonical = dict(zip(layout.axes, sides, strict=True))
    if any(canonical[0]) or any(canonical[x.ndim - 1]):
        return None
    around = tuple(canonical[axis] for axis in range(1, x.ndim - 1))
    config = windows.around(around) if any(map(any, around)) else None
    return Function(config, (x,)) if config else None


def _slice(layouts: Layouts, x: Tensor, index: Any) -> Function | None:
    """Slices that leave out the outermost entries."""
    index = index if isinstance(index, tuple) else (index,)
    if Ellipsis in [one for one in index if not isinstance(one, Tensor)]:
        place = index.index(Ellipsis)
        gap = x.ndim - len(index) + 1
        index = (*index[:place], *(slice(None),) * gap, *index[place + 1 :])
    if any(not isinstance(one, slice) or one.step not in (None, 1) for one in index):
        return None
    sides = [(0, 0)] * x.ndim
    for axis, one in enumerate(index):
        start, stop, _ = one.indices(x.shape[axis])
        sides[axis] = (-start, stop - x.shape[axis])
    return _space(layouts[0], x, sides)


def _interpolate(
    _: Any,
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: Any = None,
    **__: Any,
) -> Function:
    config = windows.upsampling(input.shape, size, scale_factor, mode, align_corners)
    return Function(config, (input,), spatial=True)


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
    "dropout1d": _dropout(dropout.SpatialDropout1D, spatial=True),
    "dropout2d": _dropout(dropout.SpatialDropout2D, spatial=True),
    "dropout3d": _dropout(dropout.SpatialDropout3D, spatial=True),
    **{f"max_pool{rank}d": _pool(getattr(nn, f"MaxPool{rank}d")) for rank in (1, 2, 3)},
    **{f"avg_pool{rank}d": _pool(getattr(nn, f"AvgPool{rank}d")) for rank in (1, 2, 3)},
    **{
        f"adaptive_{short}_pool{rank}d": _pool(getattr(nn, f"Adaptive{name}Pool{rank}d"))
        for short, name in (("max", "Max"), ("avg", "Avg"))
        for rank in (1, 2, 3)
    },
    "mean": _global(pooling.GlobalAveragePooling),
    **dict.fromkeys(("amax", "max"), _global(pooling.GlobalMaxPooling)),
    **dict.fromkeys(("add", "add_", "__add__", "__iadd__", "__radd__"), _merge(merging.Add())),
    **dict.fromkeys(("mul", "mul_", "__mul__", "__imul__", "__rmul__"), _merge(merging.Multiply())),
    **dict.fromkeys(("sub", "sub_", "__sub__", "__isub__"), _merge(merging.Subtract())),
    "maximum": _merge(merging.Maximum()),
    "minimum": _merge(merging.Minimum()),
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    "pad": _pad,
    "__getitem__": _slice,
    "interpolate": _interpolate,
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
    *("_pad_packed_sequence", "narrow", "view_as", "expand", "__iter__"),
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


def moved(function: Any, layout: Layout, args: tuple[Any, ...], out: Tensor) -> Layout | None:
    """The layout of what a function gives that only moves entries about; None where it is none."""
    name = name_of(function)
    rest = args[1:]
    if name == "permute":
        order = rest[0] if isinstance(rest[0], (tuple, list)) else rest
        return layout.permuted(order)
    if name in ("transpose", "swapaxes", "t", "T", "mT"):
        order = list(range(len(layout.merged)))
        if len(order) < 2:
            return layout
        a, b = rest if len(rest) == 2 else (-2, -1)
        order[a], order[b] = order[b], order[a]
        return layout.permuted(order)
    if name == "movedim":
        order = list(range(out.ndim))
        order.insert(rest[1] % out.ndim, order.pop(rest[0] % out.ndim))
        return layout.permuted(order)
    if name in ("view", "reshape", "flatten", "squeeze", "unflatten", "unsqueeze"):
        if math.prod(out.shape) == math.prod(layout.shape):
            return layout.reshaped(tuple(out.shape))
        return None
    if name in PRODUCTS:  # whose axes are others, even where they are as long
        return None
    return layout if tuple(out.shape) == layout.shape else None
