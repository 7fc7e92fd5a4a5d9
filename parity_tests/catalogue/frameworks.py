"""Build layers of both frameworks in float64 with random weights, and compute their outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

Arrays = dict[str, np.ndarray]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


def has(config: Any) -> bool:
    """Whether this version of Keras has the layer of a configuration."""
    from keras_impl.framework import keras

    return hasattr(keras.layers, config.keras)


def keras_layer(kind: str, x: Any, weights: Mapping[str, Any] | None = None, **given: Any) -> Any:
    """A layer of Keras in float64, built by calling it on x.

    Args:
        kind: the class.
        x: an array, or several in a list; one of an integer type stays so.
        weights: canonical name to what stands in for random numbers.
        given: the class's arguments.
    """
    from keras_impl.framework import keras, set_dtype

    set_dtype("float64")
    return filled(getattr(keras.layers, kind)(**given), x, weights)


def filled(layer: Any, x: Any, weights: Mapping[str, Any] | None = None) -> Any:
    """The layer after a call on x, with random weights (positive for variances)."""
    if isinstance(x, tuple):
        layer(*map(as_tf, x))
    else:
        layer(as_tf(x))
    rng = np.random.default_rng(1)
    for name, variable in variables(layer).items():
        value = rng.standard_normal(tuple(variable.shape)) * 0.5
        if name.endswith("variance"):
            value = np.abs(value) + 0.1
        if weights and name in weights:
            value = np.broadcast_to(np.asarray(weights[name]), value.shape)
        variable.assign(value)
    return layer


def variables(layer: Any) -> dict[str, Any]:
    """Floating-point Keras variables by canonical name, such as ``kernel`` or ``forward/bias``."""
    found = {}
    for variable in layer.weights:
        if "float" in str(variable.dtype):
            path = getattr(variable, "path", variable.name).split(":")[0].split("/")
            kept = [part for part in path[1:] if not part.endswith("_cell") and part != "cell"]
            for run in ("forward", "backward"):
                kept = [run if part.startswith(run) else part for part in kept]
            if type(layer).__name__ == "Bidirectional" and kept[0] not in ("forward", "backward"):
                raise AssertionError(f"cannot tell the run of {path}")
            found["/".join(kept) or path[-1]] = variable
    if type(layer).__name__.startswith("Depthwise") and "kernel" in found:  # Keras 3's name
        found = {"depthwise_kernel": found.pop("kernel"), **found}
    return found


def weights_of(layer: Any) -> Arrays:
    """Values of :func:`variables`."""
    return {name: np.asarray(variable.numpy()) for name, variable in variables(layer).items()}


def as_tf(x: Any) -> Any:
    """A tensor, or a list of tensors."""
    from keras_impl.framework import tf

    if isinstance(x, list):
        return [as_tf(one) for one in x]
    return tf.constant(x)


def out(layer: Any, x: Any, **given: Any) -> np.ndarray:
    """The output of a Keras layer for x."""
    given = {k: as_tf(v) if isinstance(v, np.ndarray) else v for k, v in given.items()}
    found = layer(*map(as_tf, x), **given) if isinstance(x, tuple) else layer(as_tf(x), **given)
    return np.asarray(found.numpy())


def gradient(function: Any, x: np.ndarray, wrt: Any = None) -> np.ndarray:
    """Gradient of the sum of a TensorFlow function's result with respect to x or a variable."""
    from keras_impl.framework import tf

    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        total = tf.reduce_sum(function(given))
    value = getattr(wrt, "value", wrt)  # Keras 3 wraps what TensorFlow watches
    found = tape.gradient(total, given if wrt is None else wrt if callable(value) else value)
    return np.asarray(tf.convert_to_tensor(found).numpy())


def t(x: Any) -> Tensor:
    """A PyTorch tensor with the values of an array."""
    return torch.from_numpy(np.array(x))


def n(x: Tensor) -> np.ndarray:
    """An array with the values of a PyTorch tensor."""
    return x.detach().numpy()


def load(module: torch.nn.Module, **values: Any) -> torch.nn.Module:
    """The module in float64 with values for some of its parameters and buffers."""
    module = module.double()
    state = module.state_dict()
    for name, value in values.items():
        tensor = torch.as_tensor(np.array(value))
        assert state[name].shape == tensor.shape, f"{name}: {tensor.shape}, not {state[name].shape}"
        state[name].copy_(tensor)
    return module


def first(x: Any) -> Tensor:
    """Convert channels-last to channels-first."""
    return torch.movedim(t(x), -1, 1)


def last(x: Tensor) -> np.ndarray:
    """Convert channels-first to channels-last."""
    return n(torch.movedim(x, 1, -1))
