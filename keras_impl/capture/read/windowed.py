"""Keras's convolutions, pools and paddings in the terms of :mod:`parity.reference.layers`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_impl.capture.read.registry import Config, kind_of, reader
from parity.reference.layers.windowed import conv, conv_transpose, padding, pooling, resizing
from parity.reference.layers.windowed.geometry import Sides


def several(value: Any, count: int) -> tuple[int, ...]:
    """A number for each of ``count`` axes."""
    return tuple(value) if isinstance(value, (tuple, list)) else (int(value),) * count


def _kernel_name(layer: Any, path: Sequence[str]) -> str:
    """Keras 3 calls the kernel of a depthwise convolution ``kernel``."""
    depthwise = kind_of(layer).startswith("Depthwise") or each_channel(layer)
    return "depthwise_kernel" if depthwise and path[-1] == "kernel" else path[-1]


def _kernel(layer: Any, name: str, value: np.ndarray) -> np.ndarray:
    """A convolution of each channel has the results of a channel along the last axis."""
    if name == "depthwise_kernel" and not kind_of(layer).startswith("Depthwise"):
        return value.reshape(*value.shape[:-2], layer.groups, -1)
    return value


@reader(
    *("Conv1D", "Conv2D", "Conv3D"),
    activation=True,
    weight_name=_kernel_name,
    weight_value=_kernel,
)
def _convolution(layer: Any) -> Config:
    """With as many groups as channels it is a depthwise convolution, as in PyTorch."""
    if each_channel(layer):
        each = layer.filters // layer.groups
        return conv.DepthwiseConv(depth_multiplier=each, **_windows(layer))
    return conv.Conv(filters=layer.filters, groups=layer.groups, **_windows(layer))


def each_channel(layer: Any) -> bool:
    """Whether a convolution has as many groups as channels."""
    return bool(layer.groups > 1 and layer.kernel.shape[-2] == 1)


@reader("DepthwiseConv1D", "DepthwiseConv2D", activation=True, weight_name=_kernel_name)
def _depthwise(layer: Any) -> Config:
    return conv.DepthwiseConv(depth_multiplier=layer.depth_multiplier, **_windows(layer))


@reader("SeparableConv1D", "SeparableConv2D", activation=True)
def separable(layer: Any) -> Config:
    """The configuration of a separable convolution."""
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


@reader("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", activation=True)
def _transposed(layer: Any) -> Config:
    """None if it is dilated."""
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


@reader(*(f"{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in (1, 2, 3)))
def _pool(layer: Any) -> Config:
    kind, rank = kind_of(layer)[:-2], int(kind_of(layer)[-2])
    return getattr(pooling, kind)(
        pool_size=several(layer.pool_size, rank),
        strides=several(layer.strides, rank),
        padding=layer.padding,
    )


@reader("GlobalAveragePooling1D", masked=True)
@reader("GlobalAveragePooling2D", "GlobalAveragePooling3D")
@reader(*(f"GlobalMaxPooling{rank}D" for rank in (1, 2, 3)))
def _global_pool(layer: Any) -> Config:
    kind, rank = kind_of(layer)[:-2], int(kind_of(layer)[-2])
    return getattr(pooling, kind)(rank=rank, keepdims=bool(layer.keepdims))


@reader("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def _zeros(layer: Any) -> Config:
    return padding.ZeroPadding(padding=_sides(layer.padding))


@reader("Cropping1D", "Cropping2D", "Cropping3D")
def _cropping(layer: Any) -> Config:
    return padding.Cropping(cropping=_sides(layer.cropping))


@reader("UpSampling1D", "UpSampling2D", "UpSampling3D")
def _upsampling(layer: Any) -> Config:
    """None for an interpolation that PyTorch does not have."""
    kind = getattr(layer, "interpolation", "nearest")
    size = several(layer.size, int(kind_of(layer)[-2]))
    known = kind in ("nearest", "bilinear")
    return padding.UpSampling(size=size, interpolation=kind) if known else None


@reader("Resizing")
def _resizing(layer: Any) -> Config:
    """None for an interpolation without a reference, and where the image is cropped or padded."""
    known = layer.interpolation in ("nearest", "bilinear")
    if not known or layer.crop_to_aspect_ratio or getattr(layer, "pad_to_aspect_ratio", False):
        return None
    return resizing.Resizing(
        height=layer.height,
        width=layer.width,
        interpolation=layer.interpolation,
        antialias=bool(getattr(layer, "antialias", False)),
    )


def _sides(value: Any) -> Sides:
    if isinstance(value[0], int):
        value = (value,)
    return tuple((int(before), int(after)) for before, after in value)
