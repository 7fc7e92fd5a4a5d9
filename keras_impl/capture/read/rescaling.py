"""Readers of layers that scale their input."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_impl.capture.read.registry import Config, reader
from parity.reference.layers import rescaling


@reader("Rescaling")
def _rescaling(layer: Any) -> Config:
    return rescaling.Rescaling(scale=_numbers(layer.scale), offset=_numbers(layer.offset))


@reader("Normalization")
def _normalization(layer: Any) -> Config:
    """None for statistics along other axes than the last, and for the inverse."""
    axis = layer.axis if isinstance(layer.axis, (tuple, list)) else (layer.axis,)
    last = {*axis} <= {-1, None} or np.shape(layer.mean)[-1] == np.size(layer.mean)
    if not last or layer.invert:
        return None
    mean, variance = np.asarray(layer.mean), np.asarray(layer.variance)
    return rescaling.Normalization(mean=_numbers(mean), variance=_numbers(variance))


def _numbers(value: Any) -> rescaling.Numbers:
    """One number, or one for each channel."""
    values = np.ravel(np.asarray(value, "float64"))
    return float(values[0]) if len(values) == 1 else tuple(map(float, values))
