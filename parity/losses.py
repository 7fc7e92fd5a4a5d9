"""The losses and the penalties: what each Keras adds, and a NumPy float64 reference.

Sources: ``tf_keras/src/backend.py`` (``sparse_categorical_crossentropy``, ``binary_crossentropy``)
and ``keras/src/backend/tensorflow/nn.py``; for the other losses ``tf_keras/src/losses.py`` and
``keras/src/losses/losses.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from parity.constants import as_float32
from parity.loss_table import CROSSENTROPY
from parity.specs.base import ModelSpec

PROBABILITY_EPSILON = 1e-7
"""Probabilities are clipped to [this, 1 − this] first (``keras.backend.epsilon``)."""

LOG_EPSILON = {"tf_keras": 1e-7, "keras3": 0.0}
"""What the binary cross-entropy on probabilities adds within the logarithm, by flavour."""

LOG_2 = as_float32(0.6931471805599453)
"""Keras's log 2 in the log-cosh loss, computed in float32."""

SHORTEST = {"tf_keras": 1e-12, "keras3": 1e-14}
"""The least square of a length that the cosine similarity divides by, by flavour."""


def reference_loss(
    spec: ModelSpec,
    y: np.ndarray,
    outputs: np.ndarray,
    class_weights: tuple[float, ...] = (),
    label_smoothing: float = 0.0,
    loss: str = CROSSENTROPY,
    huber_delta: float = 1.0,
) -> float:
    """Mean loss over the batch; with class weights Σ w_y·ℓ / N.

    With label smoothing s the target is (1 − s) + s/C for the label and s/C for the other classes;
    a sigmoid's is (1 − s)·y + s/2. The other losses' target is one-hot, a sigmoid's is y.

    Args:
        spec: says head (softmax or sigmoid), output (logits or probabilities) and flavour.
        y: int64 (N,), class numbers; 0 or 1 for a sigmoid head.
        outputs: float64 (N, units), what the model returns.
        class_weights: one for each class, or none.
        label_smoothing: s, from 0 to below 1.
        loss: a name in :data:`parity.loss_table.LOSSES`.
        huber_delta: δ of the loss ``huber``.

    Returns:
        The loss; a cross-entropy's is in nats.
    """
    if loss == CROSSENTROPY:
        losses = _losses(spec, y, outputs, as_float32(label_smoothing))
    else:
        target = y[:, None] if spec.head == "sigmoid" else np.eye(spec.outputs)[y]
        losses = of_targets(loss, target, outputs, as_float32(huber_delta), spec.flavour)
    if class_weights:
        losses *= np.array([as_float32(weight) for weight in class_weights])[y]
    return float(losses.mean())


def reference_penalty(
    spec: ModelSpec, weights: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]
) -> float:
    """λ₁·Σ|x| + λ₂·Σx² of kernels, of biases and, divided by the batch's size, of activities.

    Args:
        spec: says the factors.
        weights: by canonical name; of ``…/kernel`` and ``…/bias``, not of recurrent kernels.
        outputs: what each layer returns in training, by its name; of dense layers and convolutions.
    """
    kernels = [value for name, value in weights.items() if name.endswith("/kernel")]
    biases = [value for name, value in weights.items() if name.endswith("/bias")]
    activities = [
        value
        for name, value in outputs.items()
        if f"{name}/kernel" in weights and f"{name}/recurrent_kernel" not in weights
    ]
    batch = len(activities[0])
    return (
        _l1_l2(spec.l1, spec.l2, kernels)
        + _l1_l2(spec.bias_l1, spec.bias_l2, biases)
        + _l1_l2(spec.activity_l1, spec.activity_l2, activities) / batch
    )


def _l1_l2(l1: float, l2: float, values: list[np.ndarray]) -> float:
    absolute = sum(np.abs(value).sum() for value in values)
    squares = sum((value**2).sum() for value in values)
    return float(as_float32(l1) * absolute + as_float32(l2) * squares)


def _losses(spec: ModelSpec, y: np.ndarray, outputs: np.ndarray, smoothing: float) -> np.ndarray:
    """Loss of each example, (N,)."""
    each = _of_sigmoid(spec, outputs) if spec.head == "sigmoid" else _of_softmax(spec, outputs)
    own = each[np.arange(len(y)), y]
    if not smoothing:
        return np.asarray(own)
    if spec.head == "softmax" and spec.output == "probabilities":  # which is not renormalised
        each = -np.log(_clipped(outputs / outputs.sum(1, keepdims=True)))
        own = each[np.arange(len(y)), y]
    return np.asarray((1.0 - smoothing) * own + smoothing * each.mean(1))


def _clipped(probabilities: np.ndarray) -> np.ndarray:
    return probabilities.clip(PROBABILITY_EPSILON, 1.0 - PROBABILITY_EPSILON)


def _of_sigmoid(spec: ModelSpec, outputs: np.ndarray) -> np.ndarray:
    """Loss that an example would have with label 0 and with 1, (N, 2)."""
    if spec.output == "probabilities":
        p, epsilon = _clipped(outputs), LOG_EPSILON[spec.flavour]
        return np.concatenate((-np.log(1.0 - p + epsilon), -np.log(p + epsilon)), 1)
    return np.concatenate((np.logaddexp(0.0, outputs), np.logaddexp(0.0, -outputs)), 1)


def _of_softmax(spec: ModelSpec, outputs: np.ndarray) -> np.ndarray:
    """Loss that an example would have with each label, (N, classes)."""
    if spec.output == "probabilities":
        outputs = np.log(_clipped(outputs))
    highest = outputs.max(1, keepdims=True)
    normaliser = np.log(np.exp(outputs - highest).sum(1, keepdims=True)) + highest
    return np.asarray(normaliser - outputs)


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
