"""Random image augmentation in training, with shared random draws.

Twin: ``torch_impl/parts/augmentation.py``. Deliberate differences: there images are channels-first.
"""

from __future__ import annotations

import math
import sys
from typing import Any

from keras_impl.framework import FLAVOUR, keras, tf
from parity.constants import as_float32
from parity.specs.cnn import AUGMENTATION_DRAWS, CONTRAST_RANGE, CnnSpec


def augmentation(spec: CnnSpec) -> Any:
    """The augmentation layer of a spec; None if it has none."""
    return Augmentation(spec, name="augmentation") if spec.augments else None


class Augmentation(keras.layers.Layer):
    """Flip → rotation → shift → zoom → contrast, each if the spec has it.

    These are Keras's ``RandomFlip``, ``RandomRotation``, ``RandomTranslation``, ``RandomZoom`` and
    ``RandomContrast`` with the defaults bilinear and reflect, but with one contrast factor per
    image in Keras 2, too. Angles and maps are computed in float64 and rounded to float32, the dtype
    of interpolation for images of any dtype.
    """

    def __init__(self, spec: CnnSpec, name: str) -> None:
        super().__init__(name=name)
        self.spec = spec

    def call(self, x: Any, drawn: Any = None, training: bool = False) -> Any:
        """Map x (N, H, W, C) with numbers from 0 to 1, (N, 7), to x's shape and dtype.

        Raises:
            ValueError: ``drawn`` is None in training mode.
        """
        if not training:
            return x
        if drawn is None:
            raise ValueError("drawn: received None in training mode, accepted: numbers (N, 7)")
        spec, height, width = self.spec, x.shape[1], x.shape[2]
        drawn = tf.cast(drawn, tf.float64)  # (N, 7)
        given = dict(zip(AUGMENTATION_DRAWS, tf.unstack(drawn, axis=1), strict=True))
        by = {name: value * 2.0 - 1.0 for name, value in given.items()}  # from −1 to 1
        # Keras 3 flips an image in both directions or not at all
        vertical = given["vertical" if spec.flavour == "tf_keras" else "horizontal"]
        if spec.flip in ("horizontal", "both"):
            x = tf.where(given["horizontal"][:, None, None, None] < 0.5, tf.reverse(x, [2]), x)
        if spec.flip in ("vertical", "both"):
            x = tf.where(vertical[:, None, None, None] < 0.5, tf.reverse(x, [1]), x)
        if spec.rotation:
            turns = by["rotation"] * as_float32(spec.rotation)
            x = _transform(x, _rotations(turns, height, width))
        if spec.shift:
            down, right = (by[way] * as_float32(spec.shift) for way in ("down", "right"))
            one = tf.ones_like(down)
            x = _transform(x, _matrices(one, 0 * one, -right * width, 0 * one, one, -down * height))
        if spec.zoom:
            scale = by["zoom"] * as_float32(spec.zoom) + 1.0
            left, top = (1.0 - scale) * (0.5 * (width - 1)), (1.0 - scale) * (0.5 * (height - 1))
            x = _transform(x, _matrices(scale, 0 * scale, left, 0 * scale, scale, top))
        if spec.contrast:
            factor = tf.cast(by["contrast"] * as_float32(spec.contrast) + 1.0, x.dtype)
            mean = tf.reduce_mean(x, (1, 2), keepdims=True)  # (N, 1, 1, C)
            x = (x - mean) * factor[:, None, None, None] + mean
            x = tf.clip_by_value(x, *CONTRAST_RANGE)
        return x


def _rotations(turns: Any, height: int, width: int) -> Any:
    """Maps (N, 8) of counter-clockwise rotations about the centre by ``turns`` (N,)."""
    cos, sin = tf.cos(turns * (2.0 * math.pi)), tf.sin(turns * (2.0 * math.pi))
    x = ((width - 1) - (cos * (width - 1) - sin * (height - 1))) / 2.0
    y = ((height - 1) - (sin * (width - 1) + cos * (height - 1))) / 2.0
    return _matrices(cos, -sin, x, sin, cos, y)


def _matrices(*rows: Any) -> Any:
    """Six numbers per image, each (N,), as Keras's maps from output to input (N, 8), float32."""
    zero = tf.zeros_like(rows[0])
    return tf.cast(tf.stack([*rows, zero, zero], 1), tf.float32)


def _transform(x: Any, matrices: Any) -> Any:
    """Apply maps with the function that Keras's layers use."""
    how = {"interpolation": "bilinear", "fill_mode": "reflect", "fill_value": 0.0}
    if FLAVOUR == "keras3":
        transform = keras.ops.image.affine_transform
        how["data_format"] = "channels_last"
    else:
        transform = sys.modules[keras.layers.RandomRotation.__module__].transform
    return tf.ensure_shape(transform(x, matrices, **how), x.shape)
