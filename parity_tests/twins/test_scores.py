"""What ``evaluate --metrics`` prints: both frameworks' own metrics, and the same in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity.data import batches
from parity.numerics.tolerance import FLOAT32_FLOOR, FLOAT64
from parity.reference.metrics.table import METRICS
from parity.specs import predictions
from parity.specs.base import ModelSpec
from parity.specs.run import Spec
from parity_tests.support import cases

pytestmark = pytest.mark.flavour

VARIANTS = ("logits", "probabilities", "binary", "binary_probabilities")
STEPS = 40
TOP_K = 2


@dataclass(frozen=True)
class Returned:
    """The labels, and what either framework returned for the examples, by backend."""

    spec: Spec
    y: np.ndarray
    outputs: dict[str, np.ndarray]


@pytest.fixture(scope="session")
def returned(keras_backend: Backend, torch_backend: Backend, flavour: str) -> dict[str, Returned]:
    """By variant, in float64: both frameworks with one set of weights, half trained."""
    found = {}
    for variant in VARIANTS:
        rate = {"learning_rate": 0.01}
        spec = cases.spec_of(
            "softmax", f"hidden_32_16-{variant}", flavour=flavour, optimizer_fields=rate
        )
        train, test = cases.splits_of(spec)
        model = torch_backend.create(spec, "float64")
        model.feed(train)
        for chunk in batches.chunks(spec, len(train.x), STEPS, STEPS):
            model.train(chunk)
        other = keras_backend.create(spec, "float64")
        other.set_weights(model.weights())
        outputs = {"torch": model.outputs(test), "keras": other.outputs(test)}
        found[variant] = Returned(spec, test.y, outputs)
    return found


def apart(backend: Backend, name: str, of: Returned, expected: np.ndarray) -> bool:
    """Whether a backend's metric of what the backend returned is another number."""
    (score,) = backend.scores([name], of.spec, of.outputs[backend.name], of.y, TOP_K).values()
    assert np.shape(score) == np.shape(expected)
    float64 = score.dtype != np.float32
    limit = FLOAT64["predictions"].limit if float64 else FLOAT32_FLOOR
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


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", METRICS)
def test_scores_follow_their_definition(
    name: str,
    variant: str,
    returned: dict[str, Returned],
    keras_backend: Backend,
    torch_backend: Backend,
) -> None:
    """Of the same weights both frameworks say the same, and so does NumPy."""
    of = returned[variant]
    if name == "top_k" and of.spec.model.head == "sigmoid":
        pytest.skip("refused, see test_metrics_that_do_not_apply")
    expected = reference(name, of.spec.model, of.outputs["keras"], of.y)
    assert expected.ndim == 2 or 0.2 < expected < 0.999, "too easy to tell anything"
    for backend in (keras_backend, torch_backend):
        assert not apart(backend, name, of, expected), backend.name
