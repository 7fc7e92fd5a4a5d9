"""Keras's metrics, computed by ``torch_impl.metrics``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from parity_tests.keras_own_tests.adapters.arguments import (
    dtype_of,
    missing,
    options_of,
    to_keras,
    to_torch,
)
from torch_impl import metrics

RENAMED = {
    "summation_method": "summation",
    **dict.fromkeys(("precision", "recall", "sensitivity", "specificity"), "least"),
}
"""Argument of Keras's to that of ``torch_impl.metrics``."""

CURVES = {"PRGAIN": "PR_GAIN"}
"""Keras's other name of a curve."""

COUNTS = {
    "true_positives": "tp",
    "false_positives": "fp",
    "true_negatives": "tn",
    "false_negatives": "fn",
}
"""Keras's variable to the tensor of the state."""


class Adapter:
    """A Keras metric object."""

    def __init__(self, metric: metrics.Metric) -> None:
        self.metric = metric

    def __getattr__(self, name: str) -> Any:
        if name not in COUNTS or "metric" not in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return to_keras(self.metric.so_far(COUNTS[name]))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        outputs = to_torch(y_pred)
        if sample_weight is not None and not isinstance(sample_weight, float | int):
            sample_weight = to_torch(sample_weight)
        if outputs.dtype == torch.int64 and not isinstance(self.metric, metrics.IoU):
            outputs = outputs.float()
        self.metric.update(outputs, to_torch(y_true), sample_weight)

    def result(self) -> Any:
        """The metric of all batches so far."""
        return to_keras(self.metric.compute())

    def reset_state(self) -> None:
        """Discard all batches."""
        self.metric.reset()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch and return the metric of all batches."""
        self.update_state(*args, **kwargs)
        return self.result()


def __getattr__(name: str) -> Any:
    if name not in metrics.__all__ or name in ("Metric", "ConfusionMatrix", "confusion_matrix"):
        return missing("metrics", name)
    return _class(name)


def _class(kind: str) -> Callable[..., Adapter]:
    def make(*args: Any, **kwargs: Any) -> Adapter:
        options = options_of("metrics", kind, args, kwargs)
        options.pop("name", None)
        dtype = options.pop("dtype", None)
        options.pop("num_labels", None)  # known from the outputs
        given = {RENAMED.get(name, name): value for name, value in options.items()}
        if "curve" in given:
            given["curve"] = CURVES.get(given["curve"], given["curve"])
        given["dtype"] = None if dtype is None else dtype_of(dtype)
        return Adapter(getattr(metrics, kind)(**given, flavour="keras3"))

    return make
