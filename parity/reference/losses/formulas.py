"""The losses and the penalties: what each Keras adds, and a NumPy float64 reference.

Sources: ``tf_keras/src/backend.py`` (``sparse_categorical_crossentropy``, ``binary_crossentropy``)
and ``keras/src/backend/tensorflow/nn.py``; for the other losses ``tf_keras/src/losses.py`` and
``keras/src/losses/losses.py``.
"""

from __future__ import annotations

import numpy as np

from parity.constants import as_float32

PROBABILITY_EPSILON = 1e-7
"""Probabilities are clipped to [this, 1 − this] first (``keras.backend.epsilon``)."""

LOG_EPSILON = {"tf_keras": 1e-7, "keras3": 0.0}
"""What the binary cross-entropy on probabilities adds within the logarithm, by flavour."""

LOG_2 = as_float32(0.6931471805599453)
"""Keras's log 2 in the log-cosh loss, computed in float32."""

SHORTEST = {"tf_keras": 1e-12, "keras3": 1e-14}
"""The least square of a length that the cosine similarity divides by, by flavour."""


def _clipped(probabilities: np.ndarray) -> np.ndarray:
    return probabilities.clip(PROBABILITY_EPSILON, 1.0 - PROBABILITY_EPSILON)


def of_targets(
    loss: str, target: np.ndarray, outputs: np.ndarray, delta: float, flavour: str
) -> np.ndarray:
    """Loss of each example, (N,), of targets t and outputs x, both (N, units); errors are x − t."""
    error = outputs - target
    short = (1.0 - (2.0 * target - 1.0) * outputs).clip(0.0)  # of the margin, with ±1 for t
    match loss:
        case "mean_squared_error":
            each = error**2
        case "mean_absolute_error":
            each = np.abs(error)
        case "huber":
            linear = delta * np.abs(error) - delta**2 / 2
            each = np.where(np.abs(error) <= delta, error**2 / 2, linear)
        case "log_cosh":
            each = error + np.logaddexp(0.0, -2.0 * error) - LOG_2
        case "kl_divergence":
            t, x = (values.clip(PROBABILITY_EPSILON, 1.0) for values in (target, outputs))
            return np.asarray((t * np.log(t / x)).sum(1))
        case "hinge":
            each = short
        case "squared_hinge":
            each = short**2
        case "categorical_hinge":
            right, wrong = (target * outputs).sum(1), ((1.0 - target) * outputs).max(1)
            return np.asarray((wrong - right + 1.0).clip(0.0))
        case "poisson":
            each = outputs - target * np.log(outputs + PROBABILITY_EPSILON)
        case "cosine_similarity":
            squares = ((values**2).sum(1).clip(SHORTEST[flavour]) for values in (target, outputs))
            return np.asarray(-(target * outputs).sum(1) / np.sqrt(np.prod(list(squares), axis=0)))
        case _:
            raise ValueError(f"loss: received {loss!r}, accepted: a name in LOSSES")
    return np.asarray(each.mean(1))
