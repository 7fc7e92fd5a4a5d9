"""The metrics of ``evaluate`` by name."""

from __future__ import annotations

from collections.abc import Sequence

from parity.errors import ParityError

METRICS = {
    "accuracy": "share of correct labels",
    "top_k": "share of examples whose label is among the K largest outputs (softmax head), "
    "compared in float32",
    "precision": "TP / (TP + FP)",
    "recall": "TP / (TP + FN)",
    "f1": "2·P·R / (P + R)",
    "auc": "area under the ROC curve at 200 thresholds",
    "confusion_matrix": "number of examples by true class (row) and predicted class (column)",
}
"""Name to description; for a softmax head precision, recall, f1 and auc are means over classes."""

TOP_K = 5
"""Default K of ``top_k``."""


def help_text() -> str:
    """Help text that describes all metrics."""
    described = "; ".join(f"{name}: {text}" for name, text in METRICS.items())
    return (
        f"further metrics, computed by the framework's own classes. {described}. With a softmax "
        "head, precision, recall and f1 are unweighted means over the classes, where an example's "
        "label is its largest output, and auc is the mean of each class against the others; a "
        "class that does not occur counts 0, as in Keras"
    )


def places(names: Sequence[str], top_k: int | None) -> int:
    """K of ``top_k``: the given value or the default.

    Raises:
        ParityError: a value is given without the metric.
    """
    if top_k is not None and "top_k" not in names:
        raise ParityError(f"--top-k: received {top_k}, accepted: with --metrics top_k only")
    return TOP_K if top_k is None else top_k
