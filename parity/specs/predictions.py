"""Labels, probabilities and accuracy computed from a model's outputs, for every backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parity.errors import ParityError
from parity.reference.metrics.table import METRICS
from parity.specs.base import ModelSpec


def probabilities(spec: ModelSpec, outputs: np.ndarray) -> np.ndarray:
    """Return each class's probability, float64 (N, classes), from outputs (N, units)."""
    values = outputs.astype(np.float64)
    if spec.output == "logits":
        if spec.head == "sigmoid":
            values = np.exp(-np.logaddexp(0.0, -values))
        else:
            values = np.exp(values - values.max(1, keepdims=True))
            values /= values.sum(1, keepdims=True)
    return np.concatenate((1.0 - values, values), 1) if spec.head == "sigmoid" else values


def labels(spec: ModelSpec, outputs: np.ndarray) -> np.ndarray:
    """Return the predicted classes, int64 (N,), from outputs (N, units).

    A sigmoid head predicts 1 where the probability is above 0.5, as Keras's binary accuracy does.
    """
    if spec.head == "sigmoid":
        threshold = 0.0 if spec.output == "logits" else 0.5
        return (outputs[:, 0] > threshold).astype(np.int64)
    return np.asarray(outputs.argmax(1), np.int64)


def margins(spec: ModelSpec, outputs: np.ndarray) -> np.ndarray:
    """Return by how much each output must change to change the label, float64 (N,).

    It is the difference of the two highest outputs (N, units), in their unit; for a sigmoid head
    it is the distance from the threshold.
    """
    if spec.head == "sigmoid":
        found = np.abs(outputs[:, 0] - (0.0 if spec.output == "logits" else 0.5))
    else:
        highest = np.sort(outputs, axis=1)
        found = highest[:, -1] - highest[:, -2]
    return np.asarray(found, np.float64)


@dataclass(frozen=True)
class Returned:
    """A model's outputs (N, units) for some examples, and their classes y (N,)."""

    spec: ModelSpec
    outputs: np.ndarray
    y: np.ndarray
    top_k: int

    @property
    def softmax(self) -> bool:
        """Whether the head is a softmax."""
        return self.spec.head == "softmax"

    @property
    def dtype(self) -> str:
        """Name of the outputs' dtype."""
        return self.outputs.dtype.name

    @property
    def labels(self) -> np.ndarray:
        """Predicted classes, int64 (N,)."""
        return labels(self.spec, self.outputs)

    def of_units(self) -> np.ndarray:
        """Probabilities, float64 (N, units): of each class, or of class 1 for a sigmoid head."""
        return probabilities(self.spec, self.outputs)[:, -self.spec.outputs :]


def accuracy(predicted: np.ndarray, y: np.ndarray) -> float:
    """Return the share of predicted labels that equal ``y``."""
    return float((predicted == y).mean())


def check(names: Sequence[str], spec: ModelSpec, top_k: int) -> None:
    """Check that the metrics ``names`` are defined for a model.

    Raises:
        ParityError: ``top_k`` with a sigmoid head, or with a k above the number of classes.
    """
    if "top_k" not in names:
        return
    if spec.head == "sigmoid":
        others = ", ".join(name for name in METRICS if name != "top_k")
        raise ParityError(
            f"--metrics: received top_k for a model with head 'sigmoid', accepted: {others}"
        )
    if top_k > spec.classes:
        raise ParityError(
            f"--top-k: received {top_k}, accepted: 1 to {spec.classes}, the number of classes"
        )
