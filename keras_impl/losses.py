"""The loss that each head calls for, mean over the batch."""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras, tf
from parity.specs.base import ModelSpec


class HeadLoss:
    """Keras's cross-entropy on what the model returns.

    Given a softmax's or sigmoid's own output, Keras silently goes back to the logits behind it; a
    spec that says probabilities means them, so the identity hides where they came from. Then the
    loss clips to [1e-7, 1 − 1e-7], takes logarithms and, over classes, renormalises.
    Source: ``tf_keras/src/backend.py`` and ``keras/src/backend/tensorflow/nn.py``.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self.sigmoid = spec.head == "sigmoid"
        from_logits = spec.output == "logits"
        if self.sigmoid:
            self.loss = keras.losses.BinaryCrossentropy(from_logits=from_logits)
        else:
            self.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)

    def __call__(self, y: Any, outputs: Any) -> Any:
        """Scalar loss of labels y, int64 (N,), and outputs (N, units)."""
        if self.sigmoid:
            y = tf.cast(y, outputs.dtype)[:, None]
        return self.loss(y, tf.identity(outputs))
