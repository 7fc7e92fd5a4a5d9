"""Layers that TensorFlow computes in float32 whatever the dtype, in the dtype asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_impl.capture import modules
from parity.layers import padding


def output_of(layer: Any, args: tuple[Any, ...], as_tensor: Any) -> Any:
    """What the layer gives; None for one that keeps to its dtype."""
    if not modules.kind_of(layer).startswith("UpSampling"):
        return None
    config = modules.config_of(layer, len(args[0].shape))
    if getattr(config, "interpolation", "nearest") == "nearest":
        return None
    x = np.asarray(args[0].numpy())
    first = layer.data_format == "channels_first"
    y = padding.reference(config, {}, np.moveaxis(x, 1, -1) if first else x)
    return as_tensor(np.moveaxis(y, -1, 1) if first else y)
