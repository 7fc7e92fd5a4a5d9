"""Where a layer's parameters and buffers are, by canonical name, whatever model it stands in."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_impl.capture.modules import kind_of


def of_module(layer: Any) -> dict[str, Any]:
    """Canonical name to variable: those of floating point, by Keras's own names.

    A part's name goes before its variables' (``forward/kernel``); cells count as their layers.
    """
    if isinstance(layer.weights, dict):  # a part of a separable convolution
        return dict(layer.weights)
    found = {}
    kind = kind_of(layer)
    for variable in layer.weights:
        if "float" not in str(variable.dtype):
            continue
        path = getattr(variable, "path", variable.name).split(":")[0].split("/")
        kept = [part for part in path if not part.endswith("_cell") and part != "cell"]
        name = kept[-1]
        if kind == "Bidirectional":
            run = next(part for part in kept if part.startswith(("forward_", "backward_")))
            name = f"{run.split('_')[0]}/{name}"
        elif kind == "MultiHeadAttention" or (kind not in SINGLE and name in found):
            name = "/".join(kept[-2:])
        if kind.startswith("Depthwise") and name == "kernel":  # Keras 3's name
            name = "depthwise_kernel"
        found[name] = variable
    return found


SINGLE = ("Dense", "BatchNormalization", "LayerNormalization", "GroupNormalization", "Embedding")
"""Layers whose variables' last names say all."""


def value_of(variable: Any) -> np.ndarray:
    """The array that it holds, without a copy: what is assigned later goes elsewhere."""
    import tensorflow as tf

    return np.asarray(tf.convert_to_tensor(variable))
