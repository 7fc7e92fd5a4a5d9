"""Noise and dropout layers that take shared random draws, and make their own without any."""

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


class SharedGaussianNoise(keras.layers.GaussianNoise):
    """x + σ·z with standard normal z in training mode; Keras's own where no z is given."""

    def call(self, x: Any, drawn: Any = None, training: bool = False) -> Any:
        """Map x (N, …) and z of the same shape to x's shape and dtype."""
        if drawn is None or not training:
            return super().call(x, training=training)
        return x + tf.cast(drawn, x.dtype) * self.stddev


class SharedGaussianDropout(keras.layers.GaussianDropout):
    """x·(1 + z·√(r/(1 − r))) in training mode; Keras's own where no normal z is given."""

    def call(self, x: Any, drawn: Any = None, training: bool = False) -> Any:
        """Map x (N, …) and z of the same shape to x's shape and dtype."""
        if drawn is None or not training:
            return super().call(x, training=training)
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        return x * (tf.cast(drawn, x.dtype) * stddev + 1.0)


class SharedAlphaDropout(keras.layers.AlphaDropout):
    """a·(x·keep + α'·(1 − keep)) + b in training mode; Keras's own where no mask is given.

    a = 1/√((1 − r)(1 + r·α'²)), b = −a·α'·r and α' = SELU_LIMIT preserve mean and variance.
    Source: Klambauer et al., 2017.
    """

    def call(self, x: Any, keep: Any = None, training: bool = False) -> Any:
        """Map x (N, …) and keep (bool, of the same shape) to x's shape and dtype."""
        if keep is None or not training:
            return super().call(x, training=training)
        a = ((1 - self.rate) * (1 + self.rate * SELU_LIMIT**2)) ** (-0.5)
        keep = tf.cast(keep, x.dtype)
        return a * (x * keep + SELU_LIMIT * (1 - keep)) - a * SELU_LIMIT * self.rate
