"""Readers of batch, layer and group normalization."""

from __future__ import annotations

from typing import Any

from keras_impl.capture.read.registry import Config, reader
from parity.reference.layers import batch_norm, layer_norm


@reader("BatchNormalization", masked=True, channel_axis=True)
def _batch_norm(layer: Any) -> Config:
    return batch_norm.BatchNorm(
        axis=layer.axis if isinstance(layer.axis, int) else int(layer.axis[0]),
        momentum=layer.momentum,
        epsilon=layer.epsilon,
        center=layer.center,
        scale=layer.scale,
    )


@reader("LayerNormalization")
def _layer_norm(layer: Any) -> Config:
    axes = (layer.axis,) if isinstance(layer.axis, int) else tuple(layer.axis)
    return layer_norm.LayerNorm(
        axis=axes, epsilon=layer.epsilon, center=layer.center, scale=layer.scale
    )


@reader("GroupNormalization", channel_axis=True)
def _group_norm(layer: Any) -> Config:
    return layer_norm.GroupNorm(
        groups=layer.groups, epsilon=layer.epsilon, center=layer.center, scale=layer.scale
    )
