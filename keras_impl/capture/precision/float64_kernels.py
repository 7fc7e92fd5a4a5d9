"""Layers that TensorFlow computes in float32 only, in the dtype asked for."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

from keras_impl.capture.read import layers
from parity.reference.layers.windowed import pooling, resizing
from parity.reference.layers.windowed.geometry import same


@contextlib.contextmanager
def exact(keras: Any) -> Iterator[None]:
    """The layers of a Keras compute meanwhile in float64 what they are given in it."""
    every = [getattr(keras.layers, name) for name in KINDS]
    kinds = [one for one in every if one.__name__ != "Resizing" or "call" in vars(one)]
    before = [vars(kind).get("call") for kind in kinds]
    for kind in kinds:
        kind.call = _exact(kind.call)
    try:
        yield
    finally:
        for kind, call in zip(kinds, before, strict=True):
            if call is None:  # inherited
                del kind.call
            else:
                kind.call = call


KINDS = ("MaxPooling3D", "AveragePooling3D", "Resizing")
"""Names of the layers; Keras 3's resizing computes in the dtype asked for."""


def _exact(original: Any) -> Any:
    def call(self: Any, inputs: Any) -> Any:
        found = _output_of(self, inputs) if "float64" in str(inputs.dtype) else None
        return original(self, inputs) if found is None else found

    return call


def _output_of(layer: Any, x: Any) -> Any:
    config = layers.config_of(layer, len(x.shape))
    if config is None:
        return None
    import tensorflow as tf

    if isinstance(config, resizing.Resizing):
        return tf.image.resize(x, (config.height, config.width), config.interpolation)
    first = layer.data_format == "channels_first"
    x = tf.experimental.numpy.moveaxis(x, 1, -1) if first else x
    y = _pooled(config, x)
    return tf.experimental.numpy.moveaxis(y, -1, 1) if first else y


def _pooled(config: pooling.MaxPooling, x: Any) -> Any:
    """The pool, as what its windows hold at each of their places."""
    import tensorflow as tf

    sizes, steps = config.pool_size, config.strides
    around = [(0, 0)] * len(sizes)
    if config.padding == "same":
        around = [same(*one) for one in zip(x.shape[1:-1], sizes, steps, strict=True)]
    pads = [(0, 0), *around, (0, 0)]
    average = isinstance(config, pooling.AveragePooling)

    def seen(values: Any, fill: float) -> list[Any]:
        values = tf.pad(values, pads, constant_values=tf.constant(fill, values.dtype))
        ends = [n - k + 1 for n, k in zip(values.shape[1:-1], sizes, strict=True)]
        return [
            values[(slice(None), *_slices(place, ends, steps))]
            for place in itertools.product(*map(range, sizes))
        ]

    if not average:
        return tf.reduce_max(tf.stack(seen(x, float("-inf"))), 0)
    return tf.add_n(seen(x, 0.0)) / tf.add_n(seen(tf.ones_like(x), 0.0))


def _slices(place: tuple[int, ...], ends: list[int], steps: tuple[int, ...]) -> list[slice]:
    return [slice(at, at + end, step) for at, end, step in zip(place, ends, steps, strict=True)]
