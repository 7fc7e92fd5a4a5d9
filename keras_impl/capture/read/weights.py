"""Where a layer's parameters and buffers are, by canonical name, whatever model it stands in."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_impl.capture.read.layers import kind_of
from keras_impl.capture.read.windowed import each_channel


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
        found[name] = variable
    if _computed(layer, kind):
        found = {name: getattr(layer, name, None) for name in ("kernel", "bias")}
        found = {name: one for name, one in found.items() if one is not None}
    depthwise = kind.startswith("Depthwise") or _grouped(layer, kind)
    if depthwise and "kernel" in found:
        found = {"depthwise_kernel" if key == "kernel" else key: one for key, one in found.items()}
    return found


def held_by(layer: Any) -> list[Any]:
    """The variables themselves, and those that a kernel is made of."""
    made = _computed(layer, kind_of(layer))
    return [*of_module(layer).values(), *(layer.weights if made else ())]


def value_of(layer: Any, name: str, variable: Any) -> np.ndarray:
    """The canonical array of a variable, or of what has its shape.

    A convolution of each channel has its results along the last axis.
    """
    value = variable if isinstance(variable, np.ndarray) else array_of(variable)
    if name == "depthwise_kernel" and _grouped(layer, kind_of(layer)):
        return value.reshape(*value.shape[:-2], layer.groups, -1)
    return value


def array_of(variable: Any) -> np.ndarray:
    """The array that it holds, without a copy: what is assigned later goes elsewhere."""
    import tensorflow as tf

    return np.asarray(tf.convert_to_tensor(variable))


def _grouped(layer: Any, kind: str) -> bool:
    return kind in ("Conv1D", "Conv2D", "Conv3D") and each_channel(layer)


def _computed(layer: Any, kind: str) -> bool:
    """Whether a layer makes its kernel of other weights, as with weight normalisation."""
    kernel = getattr(layer, "kernel", None)
    made = hasattr(kernel, "numpy") and not hasattr(kernel, "assign")
    return made and kind.startswith(("Conv", "Dense"))


SINGLE = ("Dense", "BatchNormalization", "LayerNormalization", "GroupNormalization", "Embedding")
"""Layers whose variables' last names say all."""
