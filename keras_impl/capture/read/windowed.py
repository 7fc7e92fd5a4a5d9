"""Keras's convolutions, pools and paddings in the terms of :mod:`parity.reference.layers`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parity.reference.layers.windowed import conv, conv_transpose, padding, pooling
from parity.reference.layers.windowed.geometry import Sides

Config = Any


def several(value: Any, count: int) -> tuple[int, ...]:
    """A number for each of ``count`` axes."""
    return tuple(value) if isinstance(value, (tuple, list)) else (int(value),) * count


def convolution(layer: Any) -> Config:
    """A convolution's; one of as many groups as channels is depthwise, as in PyTorch."""
    if each_channel(layer):
        each = layer.filters // layer.groups
        return conv.DepthwiseConv(depth_multiplier=each, **_windows(layer))
    return conv.Conv(filters=layer.filters, groups=layer.groups, **_windows(layer))


def each_channel(layer: Any) -> bool:
    """Whether a convolution has as many groups as channels."""
    return bool(layer.groups > 1 and layer.kernel.shape[-2] == 1)


def depthwise(layer: Any) -> Config:
    """A depthwise convolution's."""
    return conv.DepthwiseConv(depth_multiplier=layer.depth_multiplier, **_windows(layer))


def separable(layer: Any) -> Config:
    """A separable convolution's."""
    return conv.SeparableConv(
        filters=layer.filters, depth_multiplier=layer.depth_multiplier, **_windows(layer)
    )


def _windows(layer: Any) -> dict[str, Any]:
    rank = len(layer.kernel_size)
    return {
        "kernel_size": tuple(layer.kernel_size),
        "strides": several(layer.strides, rank),
        "padding": layer.padding,
        "dilation_rate": several(layer.dilation_rate, rank),
        "activation": None,
        "use_bias": bool(layer.use_bias),
    }


def transposed(layer: Any) -> Config:
    """A transposed convolution's; None where it is dilated."""
    given = _windows(layer)
    if any(one != 1 for one in given.pop("dilation_rate")):
        return None
    if layer.output_padding is not None:
        given["padding"] = _cut(layer, given)
    return conv_transpose.ConvTranspose(filters=layer.filters, **given)


def _cut(layer: Any, given: dict[str, Any]) -> Sides:
    """Keras asks for (n − 1)·s + k − 2·pad + output_padding entries, pad k // 2 for 'same'.

    TensorFlow cuts what is too many on both sides, an odd one at the end.
    """
    sizes = given["kernel_size"]
    found = []
    for k, more in zip(sizes, several(layer.output_padding, len(sizes)), strict=True):
        total = 2 * (k // 2 if layer.padding == "same" else 0) - more
        found.append((max(total, 0) // 2, total - max(total, 0) // 2))
    return tuple(found)


def pool(kind: type[pooling.MaxPooling]) -> Callable[[Any], Config]:
    """What reads a moving pool."""

    def read(layer: Any) -> Config:
        rank = int(type(layer).__name__[-2]) if not hasattr(layer, "rank") else layer.rank
        rank = len(layer.pool_size) if isinstance(layer.pool_size, (tuple, list)) else rank
        return kind(
            pool_size=several(layer.pool_size, rank),
            strides=several(layer.strides, rank),
            padding=layer.padding,
        )

    return read


def global_pool(kind: type[pooling.GlobalMaxPooling], rank: int) -> Callable[[Any], Config]:
    """What reads a pool over all of space."""
    return lambda layer: kind(rank=rank, keepdims=bool(layer.keepdims))


def zeros(layer: Any) -> Config:
    """A padding's; None where it pads channels."""
    return padding.ZeroPadding(padding=_sides(layer.padding))


def cropping(layer: Any) -> Config:
    """A cropping's."""
    return padding.Cropping(cropping=_sides(layer.cropping))


def upsampling(rank: int) -> Callable[[Any], Config]:
    """What reads an up-sampling; None where it interpolates as PyTorch does not."""

    def read(layer: Any) -> Config:
        kind = getattr(layer, "interpolation", "nearest")
        size = several(layer.size, rank)
        known = kind in ("nearest", "bilinear")
        return padding.UpSampling(size=size, interpolation=kind) if known else None

    return read


def _sides(value: Any) -> Sides:
    if isinstance(value[0], int):
        value = (value,)
    return tuple((int(before), int(after)) for before, after in value)
