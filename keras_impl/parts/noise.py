"""Noise and dropout layers with shared random draws."""

from __future__ import annotations

import math
from typing import Any

from keras_impl.framework import keras, tf
from keras_impl.parts.layers import SharedDropout
from parity.constants import as_float32
from parity.reference.layers.activations import SELU_LIMIT
from parity.specs.dropout import DropoutSpec
from parity.specs.feed_forward import FeedForwardSpec


def noise(spec: FeedForwardSpec) -> Any:
    """Gaussian noise on the inputs with the spec's σ; None if it is 0."""
    return SharedGaussianNoise(as_float32(spec.noise), name="noise") if spec.noise else None


def dropout(spec: DropoutSpec, number: int) -> Any:
    """Dropout ``number``, from 1, of the spec's kind and rate."""
    kinds = {
        "standard": SharedDropout,
        "gaussian": SharedGaussianDropout,
        "alpha": SharedAlphaDropout,
    }
    return kinds[spec.dropout_kind](spec.rate, name=f"dropout_{number}")


class SharedGaussianNoise(keras.layers.Layer):
    """x + σ·z with standard normal z in training mode, as ``keras.layers.GaussianNoise``."""

    def __init__(self, stddev: float, name: str) -> None:
        super().__init__(name=name)
        self.stddev = stddev

    def call(self, x: Any, drawn: Any = None, training: bool = False) -> Any:
        """Map x (N, …) and z of the same shape to x's shape and dtype."""
        return x + tf.cast(drawn, x.dtype) * self.stddev if training else x


class SharedGaussianDropout(keras.layers.Layer):
    """x·(1 + z·√(r/(1 − r))) with standard normal z, as ``keras.layers.GaussianDropout``."""

    def __init__(self, rate: float, name: str) -> None:
        super().__init__(name=name)
        self.stddev = math.sqrt(rate / (1.0 - rate))

    def call(self, x: Any, drawn: Any = None, training: bool = False) -> Any:
        """Map x (N, …) and z of the same shape to x's shape and dtype."""
        return x * (tf.cast(drawn, x.dtype) * self.stddev + 1.0) if training else x


class SharedAlphaDropout(keras.layers.Layer):
    """a·(x·keep + α'·(1 − keep)) + b, as ``keras.layers.AlphaDropout``.

    a = 1/√((1 − r)(1 + r·α'²)), b = −a·α'·r and α' = SELU_LIMIT preserve mean and variance.
    Source: Klambauer et al., 2017.
    """

    def __init__(self, rate: float, name: str) -> None:
        super().__init__(name=name)
        self.a = ((1 - rate) * (1 + rate * SELU_LIMIT**2)) ** (-0.5)
        self.b = -self.a * SELU_LIMIT * rate

    def call(self, x: Any, keep: Any = None, training: bool = False) -> Any:
        """Map x (N, …) and keep (bool, of the same shape) to x's shape and dtype."""
        if not training:
            return x
        keep = tf.cast(keep, x.dtype)
        return self.a * (x * keep + SELU_LIMIT * (1 - keep)) + self.b
