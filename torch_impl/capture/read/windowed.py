"""PyTorch's convolutions, pools and paddings in Keras's terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from parity.reference.layers.windowed import conv, conv_transpose, padding, pooling
from parity.reference.layers.windowed.geometry import Sides

Config = Any


def several(value: Any, count: int) -> tuple[int, ...]:
    """A number for each of ``count`` axes."""
    return tuple(value) if isinstance(value, (tuple, list)) else (int(value),) * count


def sides(value: Any, count: int) -> str | tuple[tuple[int, int], ...]:
    """PyTorch's padding: a word, or as much before an axis as after it."""
    if isinstance(value, str):
        return value
    found = several(value, count)
    return tuple((one, one) for one in found) if any(found) else "valid"


def convolution(module: Any) -> Config:
    """A convolution's; None where it pads with other than zeros."""
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


def transposed_convolution(module: Any) -> Config:
    """A transposed convolution's; None where it is dilated or grouped."""
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


def pool(kind: type[pooling.MaxPooling], rank: int) -> Callable[[Any], Config]:
    """What reads a pool of so many dimensions; None where it leaves gaps."""

    def read(module: Any) -> Config:
        if getattr(module, "dilation", 1) not in (1, (1,) * rank):
            return None
        sizes = several(module.kernel_size, rank)
        stride = module.kernel_size if module.stride is None else module.stride
        return kind(
            pool_size=sizes,
            strides=several(stride, rank),
            padding=sides(module.padding, rank),
            **_counted(module, rank),
        )

    return read


def ceiled(module: Any, shape: Sequence[int]) -> Config:
    """A pool whose last window may reach over the end, by padding; None where it counts that."""
    space = shape[2:]
    kind = pooling.MaxPooling if hasattr(module, "dilation") else pooling.AveragePooling
    config = pool(kind, len(space))(module)
    if config is None or not space or _counted(module, len(space)):
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


def global_pool(kind: str, rank: int) -> Callable[[Any], Config]:
    """What reads a pool to a given size; None where that is not 1."""

    def read(module: Any) -> Config:
        if any(one != 1 for one in several(module.output_size, rank)):
            return None
        config: Config = getattr(pooling, f"Global{kind}Pooling")(rank=rank, keepdims=True)
        return config

    return read


def upsampling(shape: Sequence[int], size: Any, scale: Any, mode: str, corners: Any) -> Config:
    """Of an input (N, C, *space); None where Keras has no such layer."""
    rank = len(shape) - 2
    if size is not None:
        times = [one / n for one, n in zip(several(size, rank), shape[2:], strict=True)]
    else:
        times = list(scale) if isinstance(scale, (tuple, list)) else [scale] * rank
    if mode not in ("nearest", "bilinear") or any(one != int(one) for one in times):
        return None
    mode = padding.ALIGNED if corners else mode
    return padding.UpSampling(size=tuple(int(one) for one in times), interpolation=mode)


def zeros(module: Any) -> Config:
    """A padding's; None where it is of other than zeros."""
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


POOLS = tuple(getattr(nn, f"{short}Pool{rank}d") for short in ("Max", "Avg") for rank in (1, 2, 3))
"""Modules with a ``ceil_mode``."""
