"""Outputs of half-trained models, and their metrics computed from the definitions in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parity.adapters.backend import Backend
from parity.data import batches
from parity.numerics.tolerance import FLOAT64, ROUNDING_MAX
from parity.specs import predictions
from parity.specs.base import ModelSpec
from parity.specs.run import Spec
from parity_tests.support import cases

STEPS = 40
TOP_K = 2


@dataclass(frozen=True)
class Returned:
    """The labels of the test examples, and the outputs of both frameworks by backend's name."""

    spec: Spec
    y: np.ndarray
    outputs: dict[str, np.ndarray]


def half_trained(variant: str, flavour: str, keras: Backend, torch: Backend) -> Returned:
    """Both frameworks' outputs in float64 with the same weights, after a short training."""
    rate = {"learning_rate": 0.01}
    spec = cases.spec_of(
        "softmax", f"hidden_32_16-{variant}", flavour=flavour, optimizer_fields=rate
    )
    train, test = cases.splits_of(spec)
    model = torch.create(spec, "float64")
    model.feed(train)
    for chunk in batches.chunks(spec, len(train.x), STEPS, STEPS):
        model.train(chunk)
    other = keras.create(spec, "float64")
    other.set_weights(model.weights())
    outputs = {"torch": model.outputs(test), "keras": other.outputs(test)}
    return Returned(spec, test.y, outputs)


def differs(backend: Backend, name: str, of: Returned, expected: np.ndarray) -> bool:
    """Whether a backend's metric of its own outputs differs from the expected number."""
    (score,) = backend.scores([name], of.spec, of.outputs[backend.name], of.y, TOP_K).values()
    assert np.shape(score) == np.shape(expected)
    float64 = score.dtype != np.float32
    limit = FLOAT64["predictions"].limit if float64 else ROUNDING_MAX
    return bool(np.abs(score - expected).max() > limit)


def reference(name: str, spec: ModelSpec, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The metric from its definition; where there is nothing to divide by it is 0."""
    labels = predictions.labels(spec, outputs)
    if name == "accuracy":
        return np.asarray((labels == y).mean())
    if name == "top_k":
        own = outputs[np.arange(len(y)), y][:, None]
        return np.asarray(((outputs > own).sum(1) < TOP_K).mean())
    if name == "auc":
        return _areas(predictions.probabilities(spec, outputs), y)[-spec.outputs :].mean()
    matrix = np.zeros((spec.classes, spec.classes), np.int64)
    np.add.at(matrix, (y, labels), 1)
    if name == "confusion_matrix":
        return matrix
    epsilon = 1e-7 if name == "f1" and spec.flavour == "keras3" else 0.0
    right, called, real = (
        part[-spec.outputs :] for part in (np.diag(matrix), matrix.sum(0), matrix.sum(1))
    )
    precision = right / np.maximum(called + epsilon, 1e-9)
    recall = right / np.maximum(real + epsilon, 1e-9)
    mean = 2 * precision * recall / np.maximum(precision + recall + epsilon, 1e-9)
    return {"precision": precision, "recall": recall, "f1": mean}[name].mean()


def _areas(probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Each class against the rest: the trapezoids under its curve at 200 thresholds, (classes,)."""
    thresholds = np.array([-1e-7, *(np.arange(1, 199) / 199), 1 + 1e-7])
    above = probabilities[:, :, None] > thresholds  # (N, classes, thresholds)
    own = (y[:, None] == np.arange(probabilities.shape[1]))[:, :, None]
    true, false = ((above & side).sum(0) / side.sum(0) for side in (own, ~own))
    heights = (true[:, 1:] + true[:, :-1]) / 2
    return np.asarray(((false[:, :-1] - false[:, 1:]) * heights).sum(1))
