"""The training loss of a spec, mean over the batch, each example weighted by its class."""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras, tf
from parity.constants import as_float32
from parity.reference.losses.table import SPARSE
from parity.specs.base import ModelSpec
from parity.specs.objective import loss_class
from parity.specs.training import TrainingSpec


class HeadLoss:
    """Keras's loss on what the model returns: the head's cross-entropy, or another by name.

    Labels are one-hot, those of a sigmoid head 0 and 1; hinge losses make −1 and 1 of either.
    Given a softmax's or sigmoid's own output, Keras silently goes back to the logits behind it; a
    spec that says probabilities means them, so the identity hides where they came from. Then the
    cross-entropy clips to [1e-7, 1 − 1e-7], takes logarithms and, over classes, renormalises.
    Class weights w make it Σ w_y·ℓ / B: divided by the batch's size, not by the sum of the weights.
    With label smoothing s the target is (1 − s)·y + s/C over C classes, (1 − s)·y + s/2 of a
    sigmoid; over classes Keras then has another formula for probabilities, which divides them by
    their sum before it clips.
    Source: ``tf_keras/src/backend.py`` and ``keras/src/backend/tensorflow/nn.py``.
    """

    def __init__(self, spec: ModelSpec, training: TrainingSpec) -> None:
        self.class_weights = [as_float32(weight) for weight in training.class_weights]
        self.sigmoid = spec.head == "sigmoid"
        kind, given = loss_class(spec, training)
        self.sparse = kind == SPARSE
        self.loss = getattr(keras.losses, kind)(**given)

    def __call__(self, y: Any, outputs: Any) -> Any:
        """Scalar loss of labels y, int64 (N,), and outputs (N, units)."""
        weights = None
        if self.class_weights:
            weights = tf.gather(tf.constant(self.class_weights, outputs.dtype), y)  # (N,)
        if self.sigmoid:
            y = tf.cast(y, outputs.dtype)[:, None]
        elif not self.sparse:
            y = tf.one_hot(y, outputs.shape[1], dtype=outputs.dtype)
        return self.loss(y, tf.identity(outputs), sample_weight=weights)
