"""Operations of exported models as the functions that users write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Called = tuple[Any, tuple[Any, ...], dict[str, Any]]
"""A function with its arguments, by place and by name."""


def as_function(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Called:
    """The call as the same call of a function of PyTorch's; unchanged where none is known."""
    same = function, args, dict(kwargs)
    if not isinstance(function, torch._ops.OpOverload):
        return same
    name = function._schema.name.removeprefix("aten::")
    if name in REORDERED:
        return REORDERED[name](*args, **kwargs)
    if name in SAME:
        for place in (F, torch, Tensor):
            if hasattr(place, name):
                return getattr(place, name), args, dict(kwargs)
    return same


SAME = {
    *("linear", "conv1d", "conv2d", "conv3d", "layer_norm", "group_norm", "instance_norm"),
    *("relu", "gelu", "silu", "sigmoid", "tanh", "elu", "selu", "leaky_relu", "hardtanh"),
    *("softplus", "softmax", "log_softmax", "dropout", "mean", "sum", "amax", "add", "mul", "sub"),
    *("div", "cat", "stack", "flatten", "view", "reshape", "permute", "transpose", "unsqueeze"),
    *("squeeze", "matmul", "bmm", "select", "adaptive_avg_pool1d", "adaptive_avg_pool2d"),
    *("prelu", "rms_norm", "scaled_dot_product_attention", "clone", "contiguous", "detach"),
}
"""Operations with the arguments of the function of their name."""


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Called:
    rank = weight.ndim - 2
    if transposed:
        others = stride, padding, output_padding, groups, dilation
        return getattr(F, f"conv_transpose{rank}d"), (x, weight, bias, *others), {}
    given = stride, padding, dilation, groups
    return getattr(F, f"conv{rank}d"), (x, weight, bias, *given), {}


def _batch_norm(
    x: Tensor,
    weight: Any,
    bias: Any,
    mean: Any,
    variance: Any,
    training: bool,
    momentum: float,
    eps: float,
    _: bool,
) -> Called:
    return F.batch_norm, (x, mean, variance, weight, bias, training, momentum, eps), {}


def _embedding(weight: Tensor, indices: Tensor, padding: int = -1, *_: Any, **__: Any) -> Called:
    return F.embedding, (indices, weight, None if padding < 0 else padding), {}


def _pool(name: str) -> Callable[..., Called]:
    def read(x: Tensor, size: Any, stride: Any = (), *others: Any, **kwargs: Any) -> Called:
        return getattr(F, name), (x, size, stride or None, *others), kwargs

    return read


POOLS = [f"{kind}_pool{rank}d" for kind in ("max", "avg") for rank in (1, 2, 3)]

REORDERED: dict[str, Callable[..., Called]] = {
    "convolution": _convolution,
    "batch_norm": _batch_norm,
    "embedding": _embedding,
    **{name: _pool(name) for name in POOLS},
}
"""Operations with other arguments than the function of their name."""
