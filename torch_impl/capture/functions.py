"""PyTorch's functions that stand between modules, in Keras's terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from parity.layers import activations, dropout, merging, padding, pooling
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


def layer_of(
    function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], layouts: list[Layout | None]
) -> Function | None:
    """The layer that a function is, given the layouts of its tensors; None where it is none."""
    name = getattr(function, "__name__", "")
    if name in ACTIVATIONS:
        return Function(activations.Activation(activation=ACTIVATIONS[name]), (args[0],))
    reader = READERS.get(name)
    if reader is None:
        return None
    try:
        return reader(layouts, *args, **kwargs)
    except TypeError:  # called in a way that the reader does not foresee
        return None


ACTIVATIONS = {
    **dict.fromkeys(("relu", "relu_"), "relu"),
    **dict.fromkeys(("sigmoid", "sigmoid_"), "sigmoid"),
    **dict.fromkeys(("tanh", "tanh_"), "tanh"),
    "silu": "swish",
    "selu": "selu",
    "softsign": "softsign",
    "hardsigmoid": "hard_sigmoid",
}


def _gelu(_: Any, x: Tensor, approximate: str = "none") -> Function:
    name = "gelu" if approximate == "none" else "gelu_tanh"
    return Function(activations.Activation(activation=name), (x,))


def _elu(_: Any, x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Function | None:
    return Function(activations.Activation(activation="elu"), (x,)) if alpha == 1.0 else None


def _softplus(_: Any, x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Function | None:
    return Function(activations.Activation(activation="softplus"), (x,)) if beta == 1.0 else None


def _softmax(layouts: list[Layout | None], x: Tensor, dim: Any = None, **_: Any) -> Function | None:
    layout = layouts[0] or Layout.plain(x.shape)
    last = dim is not None and layout.permuted([dim]).axes[-1] == max(layout.axes)
    return Function(activations.Activation(activation="softmax"), (x,)) if last else None


def _relu6(_: Any, x: Tensor, inplace: bool = False) -> Function:
    return Function(activations.ReLU(max_value=6.0, negative_slope=0.0), (x,))


def _leaky(_: Any, x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Function:
    return Function(activations.ReLU(max_value=None, negative_slope=negative_slope), (x,))


def _dropout(_: Any, x: Tensor, p: float = 0.5, *others: Any, **__: Any) -> Function:
    return Function(dropout.Dropout(rate=p), (x,))


def _pool(module: Callable[..., nn.Module]) -> Reader:
    def read(_: Any, x: Tensor, *args: Any, **kwargs: Any) -> Function | None:
        from torch_impl.capture.modules import config_of

        config = config_of(module(*args, **kwargs))
        return None if config is None else Function(config, (x,), spatial=True)

    return read


def _mean(
    layouts: list[Layout | None], x: Tensor, dim: Any = None, keepdim: bool = False, **_: Any
) -> Function | None:
    """A mean over all axes of space is a global pool."""
    layout = layouts[0]
    if layout is None or dim is None or any(one != 1 for one in layout.merged):
        return None
    gone = {layout.axes[one % x.ndim] for one in (dim if isinstance(dim, (tuple, list)) else [dim])}
    if gone != set(range(1, x.ndim - 1)):
        return None
    kind = getattr(pooling, f"GlobalAveragePooling{x.ndim - 2}D", None)
    return kind and Function(kind(keepdims=keepdim), (x,))


def _merge(config: Any) -> Reader:
    def read(_: Any, a: Any, b: Any, **kwargs: Any) -> Function | None:
        tensors = isinstance(a, Tensor) and isinstance(b, Tensor) and a.ndim == b.ndim > 1
        usual = kwargs.get("alpha", 1) == 1
        return Function(config, (a, b)) if tensors and usual else None

    return read


def _cat(layouts: list[Layout | None], tensors: Any, dim: int = 0, **_: Any) -> Function | None:
    layout = layouts[0] or Layout.plain(tensors[0].shape)
    if any(one != 1 for one in layout.merged):
        dim = dim % len(layout.merged)
        last = dim == len(layout.merged) - 1
        return Function(merging.Concatenate(axis=dim), tuple(tensors)) if last else None
    return Function(merging.Concatenate(axis=layout.axes[dim]), tuple(tensors))


def _pad(
    layouts: list[Layout | None], x: Tensor, pad: Any, mode: str = "constant", value: Any = None
) -> Function | None:
    layout = layouts[0]
    channels_first = layout is not None and layout.axes == (0, 3, 1, 2)
    if len(pad) != 4 or not channels_first or mode != "constant" or value:
        return None
    sides = (tuple(pad[2:]), tuple(pad[:2]))
    return Function(padding.ZeroPadding2D(padding=sides), (x,), spatial=True)


READERS: dict[str, Reader] = {
    "gelu": _gelu,
    "elu": _elu,
    "softplus": _softplus,
    "softmax": _softmax,
    "relu6": _relu6,
    "leaky_relu": _leaky,
    "dropout": _dropout,
    **{f"max_pool{rank}d": _pool(getattr(nn, f"MaxPool{rank}d")) for rank in (1, 2, 3)},
    **{f"avg_pool{rank}d": _pool(getattr(nn, f"AvgPool{rank}d")) for rank in (1, 2, 3)},
    **{
        f"adaptive_{short}_pool{rank}d": _pool(getattr(nn, f"Adaptive{name}Pool{rank}d"))
        for short, name in (("max", "Max"), ("avg", "Avg"))
        for rank in (1, 2, 3)
    },
    "mean": _mean,
    **dict.fromkeys(("add", "add_", "__add__", "__iadd__", "__radd__"), _merge(merging.Add())),
    **dict.fromkeys(("mul", "mul_", "__mul__", "__imul__", "__rmul__"), _merge(merging.Multiply())),
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    "pad": _pad,
}


def moved(function: Any, layout: Layout, args: tuple[Any, ...], out: Tensor) -> Layout | None:
    """The layout of what a function gives that only moves entries about; None where it is none."""
    name = getattr(function, "__name__", "")
    rest = args[1:]
    if name == "permute":
        order = rest[0] if isinstance(rest[0], (tuple, list)) else rest
        return layout.permuted(order)
    if name in ("transpose", "swapaxes", "t", "__get__"):
        order = list(range(len(layout.merged)))
        a, b = rest if len(rest) == 2 else (0, 1)
        order[a], order[b] = order[b], order[a]
        return layout.permuted(order)
    if name == "movedim":
        order = list(range(out.ndim))
        order.insert(rest[1] % out.ndim, order.pop(rest[0] % out.ndim))
        return layout.permuted(order)
    if name in ("view", "reshape", "flatten", "squeeze", "unflatten"):
        return layout.reshaped(tuple(out.shape))
    return layout if tuple(out.shape) == layout.shape else None
