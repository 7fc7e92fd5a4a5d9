"""A metric refuses wrong arguments in one line: the value received and what is accepted."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.flavour


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("Accuracy", {"flavour": "keras4"}, "flavour: received 'keras4', accepted: tf_keras, keras3"),
    ("TopKCategoricalAccuracy", {"k": 0}, "k: received 0, accepted: 1 or more"),
    ("Precision", {"thresholds": 1.5}, "thresholds: received 1.5, accepted: numbers from 0 to 1"),
    ("Recall", {"thresholds": []}, "thresholds: received none"),
    ("Recall", {"top_k": 0}, "top_k: received 0"),
    ("F1Score", {"average": "mean"}, "average: received 'mean', accepted: (None, 'micro'"),
    ("FBetaScore", {"beta": 0.0}, "beta: received 0.0, accepted: above 0"),
    ("F1Score", {"threshold": 0.0}, "threshold: received 0.0"),
    ("AUC", {"num_thresholds": 1}, "num_thresholds: received 1, accepted: 2 or more"),
    ("AUC", {"curve": "roc"}, "curve: received 'roc', accepted: ROC, PR, PR_GAIN"),
    ("AUC", {"summation": "left"}, "summation: received 'left', accepted: interpolation"),
    ("AUC", {"thresholds": [2.0]}, "thresholds: received [2.0]"),
    ("AUC", {"label_weights": [-1.0]}, "label_weights: received [-1.0]"),
    ("ConfusionMatrix", {"num_classes": 0}, "num_classes: received 0"),
]


@pytest.mark.parametrize(("name", "given", "message"), REFUSALS, ids=str)
def test_refuses(name: str, given: dict[str, Any], message: str) -> None:
    """A metric names what it received and what it accepts."""
    from torch_impl import metrics

    with pytest.raises(ValueError, match="received") as caught:
        getattr(metrics, name)(**given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


BAD_SHAPES: list[tuple[str, dict[str, Any], tuple[tuple[int, ...], ...], str]] = [
    ("Accuracy", {}, ((4, 1), (1, 4)), "target: received shape (1, 4)"),
    ("BinaryAccuracy", {}, ((4, 2), (4,)), "target: received shape (4,)"),
    ("BinaryAccuracy", {}, ((4,), (4,), (3,)), "sample_weight: received shape (3,)"),
    ("SparseCategoricalAccuracy", {}, ((4, 3), (4, 3)), "accepted: (4,), class numbers"),
    ("CategoricalAccuracy", {}, ((4, 3), (4,)), "accepted: that of the outputs, (4, 3)"),
    ("Precision", {}, ((4, 3), (4, 2)), "target: received shape (4, 2)"),
    ("Precision", {}, ((4, 3), (4, 3), (3,)), "sample_weight: received shape (3,)"),
    ("Precision", {"class_id": 1}, ((4,), (4,)), "class_id: received outputs of one axis"),
    ("Precision", {"top_k": 4}, ((4, 3), (4, 3)), "top_k: received 4, accepted: 1 to 3"),
    ("F1Score", {}, ((4,), (4,)), "accepted: one shape (N, classes)"),
    ("F1Score", {}, ((4, 3), (4, 3), (3,)), "sample_weight: received shape (3,)"),
    ("AUC", {"multi_label": True}, ((4,), (4,)), "accepted: (N, labels)"),
    ("AUC", {"label_weights": [1.0]}, ((4, 3), (4, 3)), "label_weights: received 1"),
    ("ConfusionMatrix", {"num_classes": 2}, ((4, 3), (4, 3)), "accepted: (N,)"),
    ("ConfusionMatrix", {"num_classes": 2}, ((4,), (4,), (3,)), "sample_weight: received"),
]


@pytest.mark.parametrize(("name", "given", "shapes", "message"), BAD_SHAPES, ids=str)
def test_refuses_shapes(
    name: str, given: dict[str, Any], shapes: tuple[tuple[int, ...], ...], message: str
) -> None:
    """Shapes that do not fit are named, not broadcast."""
    import torch

    from torch_impl import metrics

    with pytest.raises(ValueError, match="received") as caught:
        getattr(metrics, name)(**given).update(*(torch.ones(shape) for shape in shapes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_what_cannot_be_computed() -> None:
    """Class numbers out of range, and F scores of nothing."""
    import torch

    from torch_impl.metrics import F1Score, confusion_matrix

    with pytest.raises(ValueError, match="received numbers from -1 to 1, accepted: 0 to 1"):
        confusion_matrix(torch.tensor([0, 1]), torch.tensor([1, -1]))
    with pytest.raises(ValueError, match="compute: received no batch"):
        F1Score().compute()
