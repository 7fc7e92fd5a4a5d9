"""PyTorch's convolutions, pools and paddings in Keras's terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from parity.reference.layers.windowed import conv, conv_transpose, padding, pooling, resizing
from parity.reference.layers.windowed.geometry import Sides
from torch_impl.capture.read.registry import (
    Config,
    Places,
    holding,
    kind_of,
    parameter_function,
    reader,
)
from torch_impl.ladder.weights import Place, same

Found = tuple[nn.Module, Tensor]


def several(value: Any, count: int) -> tuple[int, ...]:
    """A number for each of ``count`` axes; one number counts for all, as PyTorch has it."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (int(value),)
    return values * count if len(values) == 1 else values


def sides(value: Any, count: int) -> str | tuple[tuple[int, int], ...]:
    """PyTorch's padding: a word, or as much before an axis as after it."""
    if isinstance(value, str):
        return value
    found = several(value, count)
    return tuple((one, one) for one in found) if any(found) else "valid"


def _weights(module: Any, _: Any) -> Places:
    channels = module.in_channels
    if module.groups == channels > 1:
        return {"depthwise_kernel": _depthwise(module.weight, channels), "bias": same(module.bias)}
    return {"kernel": _kernel(module.weight), "bias": same(module.bias)}


def _kernel(weight: Tensor) -> Place:
    """(out, in, *sizes) to (*sizes, in, out); of a transposed one likewise, in and out swapped."""
    rank = weight.ndim - 2
    there = (*range(2, 2 + rank), 1, 0)
    back = (1 + rank, rank, *range(rank))
    return Place(
        (weight,), lambda value: value.permute(there), lambda kernel: (kernel.permute(back),)
    )


def _depthwise(weight: Tensor, channels: int) -> Place:
    """(in·m, 1, *sizes) to (*sizes, in, m)."""
    rank = weight.ndim - 2
    grouped = (channels, weight.shape[0] // channels, *weight.shape[2:])
    there, back = (*range(2, 2 + rank), 0, 1), (rank, rank + 1, *range(rank))
    return Place(
        (weight,),
        lambda value: value.reshape(grouped).permute(there),
        lambda kernel: (kernel.permute(back).reshape(weight.shape),),
    )


@reader(nn.Conv1d, nn.Conv2d, nn.Conv3d, weights=_weights, spatial=True)
def _convolution(module: Any) -> Config:
    """None if it pads with anything but zeros."""
    rank = len(module.kernel_size)
    if module.padding_mode != "zeros":
        return None
    common: dict[str, Any] = {
        "kernel_size": tuple(module.kernel_size),
        "strides": tuple(module.stride),
        "padding": sides(module.padding, rank),
        "dilation_rate": tuple(module.dilation),
        "activation": None,
        "use_bias": module.bias is not None,
    }
    if module.groups == module.in_channels > 1:
        multiplier = module.out_channels // module.in_channels
        return conv.DepthwiseConv(depth_multiplier=multiplier, **common)
    return conv.Conv(filters=module.out_channels, groups=module.groups, **common)


@reader(
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    weights=lambda module, _: {"kernel": _kernel(module.weight), "bias": same(module.bias)},
    spatial=True,
)
def _transposed_convolution(module: Any) -> Config:
    """None if it is dilated or grouped."""
    if any(one != 1 for one in module.dilation) or module.groups != 1:
        return None
    ends = zip(module.padding, module.output_padding, strict=True)
    cut = tuple((before, before - more) for before, more in ends)
    return conv_transpose.ConvTranspose(
        filters=module.out_channels,
        kernel_size=tuple(module.kernel_size),
        strides=tuple(module.stride),
        padding=cut if any(map(any, cut)) else "valid",
        activation=None,
        use_bias=module.bias is not None,
    )


@reader(
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    shaped=True,
    spatial=True,
)
def _pool(module: Any, shape: Sequence[int]) -> Config:
    """None if it is dilated."""
    name = kind_of(module)
    largest, rank = name.startswith("Max"), int(name[-2])
    if getattr(module, "dilation", 1) not in (1, (1,) * rank):
        return None
    stride = module.kernel_size if module.stride is None else module.stride
    config = (pooling.MaxPooling if largest else pooling.AveragePooling)(
        pool_size=several(module.kernel_size, rank),
        strides=several(stride, rank),
        padding=sides(module.padding, rank),
        **_counted(module, rank),
    )
    return _ceiled(config, module, shape[2:]) if module.ceil_mode else config


def _ceiled(config: Config, module: Any, space: Sequence[int]) -> Config:
    """A pool whose last window may exceed the input, as padding; None if it counts padding."""
    if not space or _counted(module, len(space)):
        return None
    around = several(module.padding, len(space))
    found = []
    for n, k, s, p in zip(space, config.pool_size, config.strides, around, strict=True):
        places = -(-(n + 2 * p - k) // s) + 1
        places -= (places - 1) * s >= n + p  # a window must begin within the input
        found.append((p, max((places - 1) * s + k - n - p, 0)))
    return replace(config, padding=tuple(found) if any(map(any, found)) else "valid")


def _counted(module: Any, rank: int) -> dict[str, bool]:
    padded = any(several(module.padding, rank))
    return (
        {"count_include_pad": True}
        if padded and getattr(module, "count_include_pad", False)
        else {}
    )


@reader(
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    spatial=True,
)
def _global_pool(module: Any) -> Config:
    """A pool to a given size; None unless the size is 1."""
    name = kind_of(module)
    rank = int(name[-2])
    if any(one != 1 for one in several(module.output_size, rank)):
        return None
    largest = name.startswith("AdaptiveMax")
    kind = pooling.GlobalMaxPooling if largest else pooling.GlobalAveragePooling
    return kind(rank=rank, keepdims=True)


def resized(
    shape: Sequence[int], size: Any, scale: Any, mode: str, corners: Any, antialias: bool = False
) -> Config:
    """``F.interpolate`` of an input (N, C, *space); None where Keras has no such layer."""
    rank = len(shape) - 2
    if size is not None:
        times = [one / n for one, n in zip(several(size, rank), shape[2:], strict=True)]
    else:
        times = list(scale) if isinstance(scale, (tuple, list)) else [scale] * rank
    sizes = [n * by for n, by in zip(shape[2:], times, strict=True)]
    if mode not in INTERPOLATIONS or any(abs(one - round(one)) > 1e-9 for one in sizes):
        return None
    kind = padding.ALIGNED if corners else INTERPOLATIONS[mode]
    if all(one == int(one) for one in times) and not antialias:
        kind = "nearest" if kind == resizing.FLOORED else kind
        return padding.UpSampling(size=tuple(int(one) for one in times), interpolation=kind)
    if rank != 2:
        return None
    height, width = (round(one) for one in sizes)
    return resizing.Resizing(height=height, width=width, interpolation=kind, antialias=antialias)


INTERPOLATIONS = {
    "nearest": resizing.FLOORED,
    "nearest-exact": "nearest",
    "bilinear": "bilinear",
}
"""PyTorch's modes in the terms of :mod:`parity.reference.layers.windowed.resizing`."""


@reader(
    *(nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d),
    *(nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d),
    spatial=True,
)
def _zeros(module: Any) -> Config:
    """None if it pads with anything but zeros."""
    if getattr(module, "value", 0.0) != 0.0:
        return None
    pairs = list(zip(module.padding[::2], module.padding[1::2], strict=True))[::-1]
    return around(tuple(pairs))


def around(sides: Sides) -> Config:
    """What PyTorch's padding comes to: less than none crops; None where it does both."""
    if not any(one < 0 for pair in sides for one in pair):
        return padding.ZeroPadding(padding=sides)
    if any(one > 0 for pair in sides for one in pair):
        return None
    return padding.Cropping(cropping=tuple((-before, -after) for before, after in sides))


def _conv_function(kind: Callable[..., nn.Module]) -> Callable[..., Found]:
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
        return holding(module, weight=weight, bias=bias), input

    return read


def _conv_transpose_function(
    kind: Callable[..., nn.Module],
) -> Callable[..., Found]:
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
        return holding(module, weight=weight, bias=bias), input

    return read


for _rank in (1, 2, 3):
    parameter_function(f"conv{_rank}d")(_conv_function(getattr(nn, f"Conv{_rank}d")))
    parameter_function(f"conv_transpose{_rank}d")(
        _conv_transpose_function(getattr(nn, f"ConvTranspose{_rank}d"))
    )
