"""The loss that each head calls for, mean over the batch, each example weighted by its class."""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras, tf
from parity.constants import as_float32
from parity.specs.base import ModelSpec


class HeadLoss:
    """Keras's cross-entropy on what the model returns.

    Given a softmax's or sigmoid's own output, Keras silently goes back to the logits behind it; a
    spec that says probabilities means them, so the identity hides where they came from. Then the
    loss clips to [1e-7, 1 − 1e-7], takes logarithms and, over classes, renormalises.
    Class weights w make it Σ w_y·ℓ / B: divided by the batch's size, not by the sum of the weights.
    With label smoothing s the target is (1 − s)·y + s/C over C classes, (1 − s)·y + s/2 of a
    sigmoid; over classes Keras then has another formula for probabilities, which divides them by
    their sum before it clips.
    Source: ``tf_keras/src/backend.py`` and ``keras/src/backend/tensorflow/nn.py``.
    """

    def __init__(
        self,
        spec: ModelSpec,
        class_weights: tuple[float, ...] = (),
        label_smoothing: float = 0.0,
    ) -> None:
        self.class_weights = [as_float32(weight) for weight in class_weights]
        self.sigmoid = spec.head == "sigmoid"
        self.smoothing = as_float32(label_smoothing)
        from_logits = spec.output == "logits"
        if self.sigmoid:
            self.loss = keras.losses.BinaryCrossentropy(from_logits, self.smoothing)
        elif self.smoothing:
            self.loss = keras.losses.CategoricalCrossentropy(from_logits, self.smoothing)
        else:
            self.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)

    def __call__(self, y: Any, outputs: Any) -> Any:
        """Scalar loss of labels y, int64 (N,), and outputs (N, units)."""
        weights = None
        if self.class_weights:
            weights = tf.gather(tf.constant(self.class_weights, outputs.dtype), y)  # (N,)
        if self.sigmoid:
            y = tf.cast(y, outputs.dtype)[:, None]
        elif self.smoothing:
            y = tf.one_hot(y, outputs.shape[1], dtype=outputs.dtype)
        return self.loss(y, tf.identity(outputs), sample_weight=weights)
