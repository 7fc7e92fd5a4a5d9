"""The two cross-entropies: what each Keras adds to them, and a NumPy float64 reference.

Sources: ``tf_keras/src/backend.py`` (``sparse_categorical_crossentropy``, ``binary_crossentropy``)
and ``keras/src/backend/tensorflow/nn.py``.
"""

from __future__ import annotations

import numpy as np

from parity.specs.base import ModelSpec

PROBABILITY_EPSILON = 1e-7
"""Probabilities are clipped to [this, 1 − this] first (``keras.backend.epsilon``)."""

LOG_EPSILON = {"tf_keras": 1e-7, "keras3": 0.0}
"""What the binary cross-entropy on probabilities adds within the logarithm, by flavour."""


def reference_loss(spec: ModelSpec, y: np.ndarray, outputs: np.ndarray) -> float:
    """Mean loss over the batch.

    Args:
        spec: says head (softmax or sigmoid), output (logits or probabilities) and flavour.
        y: int64 (N,), class numbers; 0 or 1 for a sigmoid head.
        outputs: float64 (N, units), what the model returns.

    Returns:
        The loss in nats.
    """
    if spec.output == "probabilities":
        p = outputs.clip(PROBABILITY_EPSILON, 1.0 - PROBABILITY_EPSILON)
        if spec.head == "sigmoid":
            epsilon = LOG_EPSILON[spec.flavour]
            chosen = np.where(y == 1, p[:, 0], 1.0 - p[:, 0])
            return float(-np.log(chosen + epsilon).mean())
        outputs = np.log(p)
    if spec.head == "sigmoid":
        signed = np.where(y == 1, -outputs[:, 0], outputs[:, 0])
        return float(np.logaddexp(0.0, signed).mean())
    highest = outputs.max(1, keepdims=True)
    normaliser = np.log(np.exp(outputs - highest).sum(1)) + highest[:, 0]
    return float((normaliser - outputs[np.arange(len(y)), y]).mean())
