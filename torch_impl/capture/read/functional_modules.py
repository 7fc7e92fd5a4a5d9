"""Functions that take parameters of the model directly, as the modules that would do the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn


def module_of(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """A module that computes the same, and the function's input; None where there is none.

    The module holds the very tensors that the function was given.
    """
    reader = READERS.get(getattr(function, "__name__", ""))
    try:
        return reader(*args, **kwargs) if reader else None
    except (TypeError, AttributeError, ValueError):  # called in a way that is not foreseen
        return None


def _holding(module: nn.Module, **tensors: Tensor | None) -> nn.Module:
    for name, tensor in tensors.items():
        delattr(module, name)
        setattr(module, name, tensor)
    return module


Found = tuple[nn.Module, Tensor] | None


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Found:
    out, into = weight.shape
    module = nn.Linear(into, out, device="meta")
    return _holding(module, weight=weight, bias=bias), input


def _matmul(input: Tensor, other: Tensor) -> Found:
    return _product(input, other) if other.ndim == 2 else None


def _addmm(input: Tensor, mat1: Tensor, mat2: Tensor) -> Found:
    return _product(mat1, mat2, input)


class Product(nn.Linear):
    """A product with a kernel (in, out), which PyTorch has no module for."""

    kernel: Tensor


def _product(input: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Found:
    base = kernel._base
    turned = base is not None and base.shape == kernel.shape[::-1]
    if turned and base.stride() == kernel.stride()[::-1]:
        return _linear(input, base, bias)
    module = Product(*kernel.shape, device="meta")
    module.kernel = kernel
    return _holding(module, weight=None, bias=bias), input


def _conv(kind: Callable[..., nn.Module]) -> Callable[..., Found]:
    def read(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Found:
        module = kind(
            weight.shape[1] * groups,
            weight.shape[0],
            tuple(weight.shape[2:]),
            stride,
            padding,
            dilation,
            groups,
            device="meta",
        )
        return _holding(module, weight=weight, bias=bias), input

    return read


def _conv_transpose(kind: Callable[..., nn.Module]) -> Callable[..., Found]:
    def read(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Found:
        module = kind(
            weight.shape[0],
            weight.shape[1] * groups,
            tuple(weight.shape[2:]),
            stride,
            padding,
            output_padding,
            groups,
            True,
            dilation,
            device="meta",
        )
        return _holding(module, weight=weight, bias=bias), input

    return read


def _layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Found:
    module = nn.LayerNorm(tuple(normalized_shape), eps, device="meta")
    return _holding(module, weight=weight, bias=bias), input


def _group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Found:
    module = nn.GroupNorm(num_groups, input.shape[1], eps, device="meta")
    return _holding(module, weight=weight, bias=bias), input


def _batch_norm(
    input: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Found:
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    module = kind[input.ndim](input.shape[1], eps, momentum, device="meta").train(training)
    given = {"running_mean": running_mean, "running_var": running_var}
    return _holding(module, weight=weight, bias=bias, **given), input


def _embedding(input: Tensor, weight: Tensor, padding_idx: Any = None, **_: Any) -> Found:
    return _holding(nn.Embedding(*weight.shape, device="meta"), weight=weight), input


def _prelu(input: Tensor, weight: Tensor) -> Found:
    return _holding(nn.PReLU(weight.numel(), device="meta"), weight=weight), input


READERS: dict[str, Callable[..., Found]] = {
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm", "__matmul__"), _matmul),
    "addmm": _addmm,
    **{f"conv{rank}d": _conv(getattr(nn, f"Conv{rank}d")) for rank in (1, 2, 3)},
    **{
        f"conv_transpose{rank}d": _conv_transpose(getattr(nn, f"ConvTranspose{rank}d"))
        for rank in (1, 2, 3)
    },
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "batch_norm": _batch_norm,
    "embedding": _embedding,
    "prelu": _prelu,
}
