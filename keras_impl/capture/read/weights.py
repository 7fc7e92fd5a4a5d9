"""A layer's parameters and buffers by canonical name, in any model."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_impl.capture.read.registry import reader_of


def of_module(layer: Any) -> dict[str, Any]:
    """Canonical name to variable: those of floating point, by Keras's own names.

    A part's name goes before its variables' (``forward/kernel``); cells count as their layers.
    """
    if isinstance(layer.weights, dict):  # a part of a separable convolution
        return dict(layer.weights)
    found: dict[str, Any] = {}
    reader = reader_of(layer)
    for variable in layer.weights:
        if "float" not in str(variable.dtype):
            continue
        path = getattr(variable, "path", variable.name).split(":")[0].split("/")
        kept = [part for part in path if not part.endswith("_cell") and part != "cell"]
        name = reader.weight_name(layer, kept)
        found["/".join(kept[-2:]) if name in found else name] = variable
    if _computed(layer):
        made = {name: getattr(layer, name, None) for name in ("kernel", "bias")}
        return {
            reader.weight_name(layer, [name]): one for name, one in made.items() if one is not None
        }
    return found


def held_by(layer: Any) -> list[Any]:
    """The variables themselves, and those that a kernel is made of."""
    made = _computed(layer)
    return [*of_module(layer).values(), *(layer.weights if made else ())]


def value_of(layer: Any, name: str, variable: Any) -> np.ndarray:
    """The canonical array of a weight, given its variable or an array of the variable's shape."""
    value = variable if isinstance(variable, np.ndarray) else array_of(variable)
    return reader_of(layer).weight_value(layer, name, value)


def array_of(variable: Any) -> np.ndarray:
    """The array that it holds, without a copy: what is assigned later goes elsewhere."""
    import tensorflow as tf

    return np.asarray(tf.convert_to_tensor(variable))


def _computed(layer: Any) -> bool:
    """Whether the kernel is computed from other weights, as with weight normalization."""
    kernel = getattr(layer, "kernel", None)
    made = hasattr(kernel, "numpy") and not hasattr(kernel, "assign")
    return made and reader_of(layer).activation
