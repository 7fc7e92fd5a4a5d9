"""The comparison of metrics can fail: each fault injected into the PyTorch twin is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import torch_impl.parts.scores
from parity.adapters.backend import Backend
from parity.reference.metrics.table import METRICS
from parity_tests.support.scores import differs, half_trained, reference
from torch_impl import metrics as keras_metrics

pytestmark = pytest.mark.flavour

Given = torch_impl.parts.scores._Returned
_of_all = torch_impl.parts.scores._of_all


def of_entries(of: Given) -> object:
    """The share of right entries of one-hot labels, not of right labels."""
    metric = keras_metrics.BinaryAccuracy(**of.common())
    return _of_all(metric, of.columns(of.labels), of.columns(of.y))


def another_place(of: Given) -> object:
    metric = keras_metrics.SparseTopKCategoricalAccuracy(of.top_k + 1, **of.common("float32"))
    return _of_all(metric, *(torch.as_tensor(x) for x in (of.outputs, of.y)))


def of_all_classes(kind: type[keras_metrics.Metric]) -> Callable[[Given], object]:
    """Of all classes' counts together, which for single labels is the accuracy."""

    def score(of: Given) -> object:
        return _of_all(kind(**of.common()), of.columns(of.labels), of.columns(of.y))

    return score


def weighted(of: Given) -> object:
    metric = keras_metrics.F1Score(average="weighted", threshold=0.5, **of.common())
    return _of_all(metric, of.columns(of.labels), of.columns(of.y))


def one_area(of: Given) -> object:
    """Of all classes' entries together."""
    metric = keras_metrics.AUC(multi_label=False, **of.common())
    return _of_all(metric, of.probabilities(), of.columns(of.y))


def transposed(of: Given) -> object:
    return torch_impl.parts.scores._confusion_matrix(of).T


FAULTS = {
    "accuracy": of_entries,
    "top_k": another_place,
    "precision": of_all_classes(keras_metrics.Precision),
    "recall": of_all_classes(keras_metrics.Recall),
    "f1": weighted,
    "auc": one_area,
    "confusion_matrix": transposed,
}


@pytest.mark.parametrize("name", METRICS)
def test_a_wrong_metric_is_found(
    name: str,
    flavour: str,
    keras_backend: Backend,
    torch_backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The comparison fails with the fault and passes without it."""
    of = half_trained("logits", flavour, keras_backend, torch_backend)
    expected = reference(name, of.spec.model, of.outputs["torch"], of.y)
    assert not differs(torch_backend, name, of, expected)
    monkeypatch.setitem(torch_impl.parts.scores.SCORES, name, FAULTS[name])
    assert differs(torch_backend, name, of, expected)
