"""The training loss of a spec: the mean over the batch, weighted by class."""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras, tf
from parity.constants import as_float32
from parity.reference.losses.table import SPARSE
from parity.specs.base import ModelSpec
from parity.specs.objective import loss_class
from parity.specs.training import TrainingSpec


class HeadLoss:
    """Keras's loss of the model's outputs: the head's cross-entropy, or another one by name.

    Labels are one-hot, or 0 and 1 for a sigmoid head; hinge losses convert both to −1 and 1.
    If Keras's loss gets the output of a softmax or sigmoid layer, it silently uses the logits. The
    identity hides this origin, because a spec with probabilities means them: the cross-entropy then
    clips to [1e-7, 1 − 1e-7], takes logarithms and, over classes, renormalises.
    With class weights w the loss is Σ w_y·ℓ / B: divided by the batch size, not by Σ w_y.
    With label smoothing s the target is (1 − s)·y + s/C over C classes, or (1 − s)·y + s/2 for a
    sigmoid. Over classes Keras then uses another formula for probabilities, which divides them by
    their sum before clipping.
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
