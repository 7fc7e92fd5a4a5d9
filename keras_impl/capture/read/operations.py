"""TensorFlow's operations that stand between layers, in Keras's terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_impl.capture.read.activations import shortest
from parity.reference.layers import activations, depth_to_space, merging
from parity.reference.layers.windowed import pooling


def layer_of(
    kind: str, inputs: Sequence[Any], attributes: dict[str, Any], followed: Sequence[bool]
) -> tuple[Any, Callable[..., Any], list[Any]] | None:
    """Configuration, the same as a function, and its inputs; None where it is no layer.

    Args:
        kind: of the operation.
        inputs: all of its tensors.
        attributes: its own.
        followed: for each of them whether it comes from the model's inputs.
    """
    import tensorflow as tf

    if kind in UNARY:
        name, function = UNARY[kind]
        config: Any = activations.Activation(activation=name)
        if kind == "Relu6":
            config = activations.ReLU(max_value=6.0, negative_slope=0.0)
        return config, getattr(tf.nn, function, None) or getattr(tf.math, function), [inputs[0]]
    if kind == "LeakyRelu":
        slope = shortest(float(attributes["alpha"]))
        config = activations.ReLU(max_value=None, negative_slope=slope)
        return config, lambda x: tf.nn.leaky_relu(x, slope), [inputs[0]]
    if kind in BINARY and all(followed):
        config, function = BINARY[kind]
        if len(inputs[0].shape) == len(inputs[1].shape) > 1:
            return config, getattr(tf.math, function), list(inputs)
    if kind == "ConcatV2" and all(followed[:-1]):
        axis = int(inputs[-1].numpy()) % len(inputs[0].shape)
        return (
            merging.Concatenate(axis=axis),
            lambda *values: tf.concat(values, axis),
            list(inputs[:-1]),
        )
    if kind in DEPTHS and attributes.get("data_format", b"NHWC") in (b"NHWC", "NHWC"):
        size = int(attributes["block_size"])
        own, name = DEPTHS[kind]
        return own(block_size=size), lambda x: getattr(tf.nn, name)(x, size), [inputs[0]]
    if kind in ("Mean", "Max"):
        return _pooled(kind, inputs, bool(attributes.get("keep_dims")))
    return None


def _pooled(kind: str, inputs: Sequence[Any], keepdims: bool) -> Any:
    import tensorflow as tf

    rank = len(inputs[0].shape)
    axes = sorted(int(one) % rank for one in np.ravel(inputs[1].numpy()))
    if rank < 3 or axes != list(range(1, rank - 1)):
        return None
    pool = pooling.GlobalAveragePooling if kind == "Mean" else pooling.GlobalMaxPooling
    reduce = tf.reduce_mean if kind == "Mean" else tf.reduce_max
    return (
        pool(rank=rank - 2, keepdims=keepdims),
        lambda x: reduce(x, axes, keepdims),
        [inputs[0]],
    )


UNARY = {
    "Relu": ("relu", "relu"),
    "Relu6": ("relu6", "relu6"),
    "Elu": ("elu", "elu"),
    "Selu": ("selu", "selu"),
    "Sigmoid": ("sigmoid", "sigmoid"),
    "Tanh": ("tanh", "tanh"),
    "Softplus": ("softplus", "softplus"),
    "Softsign": ("softsign", "softsign"),
    "Softmax": ("softmax", "softmax"),
}
"""Operation to an activation's name and TensorFlow's function."""

DEPTHS = {
    "DepthToSpace": (depth_to_space.DepthToSpace, "depth_to_space"),
    "SpaceToDepth": (depth_to_space.SpaceToDepth, "space_to_depth"),
}
"""Operation to its configuration and TensorFlow's function."""

BINARY: dict[str, tuple[Any, str]] = {
    "AddV2": (merging.Add(), "add"),
    "Add": (merging.Add(), "add"),
    "Mul": (merging.Multiply(), "multiply"),
    "Sub": (merging.Subtract(), "subtract"),
    "Maximum": (merging.Maximum(), "maximum"),
    "Minimum": (merging.Minimum(), "minimum"),
}
"""Operation to what it is and TensorFlow's function."""
