"""The two cross-entropies and the L2 penalty: what each Keras adds, and a NumPy float64 reference.

Sources: ``tf_keras/src/backend.py`` (``sparse_categorical_crossentropy``, ``binary_crossentropy``)
and ``keras/src/backend/tensorflow/nn.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parity.constants import as_float32
from parity.specs.base import ModelSpec

PROBABILITY_EPSILON = 1e-7
"""Probabilities are clipped to [this, 1 − this] first (``keras.backend.epsilon``)."""

LOG_EPSILON = {"tf_keras": 1e-7, "keras3": 0.0}
"""What the binary cross-entropy on probabilities adds within the logarithm, by flavour."""


def reference_loss(
    spec: ModelSpec, y: np.ndarray, outputs: np.ndarray, class_weights: tuple[float, ...] = ()
) -> float:
    """Mean loss over the batch; with class weights Σ w_y·ℓ / N.

    Args:
        spec: says head (softmax or sigmoid), output (logits or probabilities) and flavour.
        y: int64 (N,), class numbers; 0 or 1 for a sigmoid head.
        outputs: float64 (N, units), what the model returns.
        class_weights: one for each class, or none.

    Returns:
        The loss in nats.
    """
    losses = _losses(spec, y, outputs)
    if class_weights:
        losses *= np.array([as_float32(weight) for weight in class_weights])[y]
    return float(losses.mean())


def reference_penalty(spec: ModelSpec, weights: Mapping[str, np.ndarray]) -> float:
    """The L2 penalty λ·Σw² of every tensor named ``…/kernel``: no recurrent kernels, no biases."""
    kernels = (value for name, value in weights.items() if name.endswith("/kernel"))
    return as_float32(spec.l2) * float(sum((kernel**2).sum() for kernel in kernels))


def _losses(spec: ModelSpec, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Loss of each example, (N,)."""
    if spec.output == "probabilities":
        p = outputs.clip(PROBABILITY_EPSILON, 1.0 - PROBABILITY_EPSILON)
        if spec.head == "sigmoid":
            epsilon = LOG_EPSILON[spec.flavour]
            chosen = np.where(y == 1, p[:, 0], 1.0 - p[:, 0])
            return -np.log(chosen + epsilon)
        outputs = np.log(p)
    if spec.head == "sigmoid":
        signed = np.where(y == 1, -outputs[:, 0], outputs[:, 0])
        return np.logaddexp(0.0, signed)
    highest = outputs.max(1, keepdims=True)
    normaliser = np.log(np.exp(outputs - highest).sum(1)) + highest[:, 0]
    return np.asarray(normaliser - outputs[np.arange(len(y)), y])
