"""Layers of users' own classes, recognized by what they compute."""

from __future__ import annotations

import numpy as np

from keras_impl.capture.read.registry import Config
from parity.reference.layers import depth_to_space, rotary


def config_of(x: np.ndarray, y: np.ndarray) -> Config:
    """The configuration with which a layer without weights gives y for x; None if unknown."""
    if any(one.dtype.kind != "f" for one in (x, y)):
        return None
    return depth_to_space.recognized(x, y) or rotary.recognized(x, y)
