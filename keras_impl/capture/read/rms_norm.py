"""Reader of root mean square normalization."""

from __future__ import annotations

from typing import Any

from keras_impl.capture.read.registry import Config, reader
from parity.reference.layers import rms_norm


@reader("RMSNormalization")
def _rms_norm(layer: Any) -> Config:
    axes = (layer.axis,) if isinstance(layer.axis, int) else tuple(layer.axis)
    return rms_norm.RMSNorm(axis=axes, epsilon=layer.epsilon)
