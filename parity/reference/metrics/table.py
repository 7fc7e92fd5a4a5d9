"""The metrics that ``evaluate`` can be asked for: their names, and the heads that they are for."""

from __future__ import annotations

from collections.abc import Sequence

from parity.errors import ParityError

METRICS = {
    "accuracy": "share of right labels",
    "top_k": "share of examples whose label is among the K likeliest (softmax head), compared in "
    "float32",
    "precision": "TP / (TP + FP)",
    "recall": "TP / (TP + FN)",
    "f1": "2·P·R / (P + R)",
    "auc": "area under the ROC curve at 200 thresholds",
    "confusion_matrix": "how often each class (row) was taken for each other (column)",
}
"""Name to what it is; of classes of a softmax head, precision, recall, f1 and auc are the mean."""

TOP_K = 5
"""How many places ``top_k`` has unless told otherwise."""


def help_text() -> str:
    """All metrics in words."""
    described = "; ".join(f"{name}: {text}" for name, text in METRICS.items())
    return (
        f"more about these weights, by the framework's own metrics. {described}. With a softmax "
        "head, precision, recall and f1 are the plain mean over the classes, the likeliest one "
        "being an example's label, and auc that of each class against the rest; a class that does "
        "not occur counts 0, as in Keras"
    )


def places(names: Sequence[str], top_k: int | None) -> int:
    """K of ``top_k``: the value received, or the usual one.

    Raises:
        ParityError: a value without the metric.
    """
    if top_k is not None and "top_k" not in names:
        raise ParityError(f"--top-k: received {top_k}, accepted: with --metrics top_k only")
    return TOP_K if top_k is None else top_k
