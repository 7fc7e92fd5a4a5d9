"""Keras's metrics of a classifier's outputs. Twin: ``keras_impl/parts/scores.py``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from parity.specs.base import ModelSpec
from parity.specs.predictions import Returned
from torch_impl import metrics as keras_metrics
from torch_impl.framework import dtype_of


class _Returned(Returned):
    """A model's outputs for some examples, and the targets."""

    def common(self, dtype: str = "") -> dict[str, Any]:
        """Arguments of every metric."""
        return {"dtype": dtype_of(dtype or self.dtype), "flavour": self.spec.flavour}

    def columns(self, labels: np.ndarray, dtype: str = "") -> Tensor:
        """Class numbers (N,) as (N, units): one-hot, or unchanged for a sigmoid head."""
        if self.softmax:
            found = F.one_hot(torch.as_tensor(labels), self.spec.classes)
        else:
            found = torch.as_tensor(labels[:, None])
        return found.to(dtype_of(dtype or self.dtype))

    def probabilities(self) -> Tensor:
        """Probabilities (N, units): of each class, or of class 1 for a sigmoid head."""
        return torch.as_tensor(self.of_units()).to(dtype_of(self.dtype))


def scores_of(
    names: Iterable[str], spec: ModelSpec, outputs: np.ndarray, y: np.ndarray, top_k: int
) -> dict[str, np.ndarray]:
    """See :meth:`parity.adapters.backend.Backend.scores`."""
    returned = _Returned(spec, outputs, y, top_k)
    return {name: np.asarray(SCORES[name](returned)) for name in names}


def _accuracy(of: _Returned) -> Tensor:
    if not of.softmax:
        binary = keras_metrics.BinaryAccuracy(threshold=0.5, **of.common())
        return _of_all(binary, of.columns(of.labels), of.columns(of.y))
    metric = keras_metrics.SparseCategoricalAccuracy(**of.common())
    return _of_all(metric, torch.as_tensor(of.outputs), torch.as_tensor(of.y))


def _top_k(of: _Returned) -> Tensor:
    metric = keras_metrics.SparseTopKCategoricalAccuracy(of.top_k, **of.common("float32"))
    return _of_all(metric, torch.as_tensor(of.outputs), torch.as_tensor(of.y))


def _precision(of: _Returned) -> Tensor:
    return _over_classes(of, keras_metrics.Precision)


def _recall(of: _Returned) -> Tensor:
    return _over_classes(of, keras_metrics.Recall)


def _over_classes(of: _Returned, kind: Any) -> Any:
    """The unweighted mean of the metric over the classes; class 1 only for a sigmoid head."""
    found, wanted = of.columns(of.labels), of.columns(of.y)
    each = [
        _of_all(kind(thresholds=0.5, class_id=number, **of.common()), found, wanted)
        for number in range(of.spec.outputs)
    ]
    return torch.stack(each).mean()


def _f1(of: _Returned) -> Tensor:
    # Keras 2's F score does not support float64
    dtype = "float32" if of.spec.flavour == "tf_keras" else of.dtype
    metric = keras_metrics.F1Score(average="macro", threshold=0.5, **of.common(dtype))
    return _of_all(metric, of.columns(of.labels, dtype), of.columns(of.y, dtype))


def _auc(of: _Returned) -> Tensor:
    metric = keras_metrics.AUC(
        num_thresholds=200,
        curve="ROC",
        summation="interpolation",
        multi_label=of.softmax,
        from_logits=False,
        **of.common(),
    )
    return _of_all(metric, of.probabilities(), of.columns(of.y))


def _confusion_matrix(of: _Returned) -> Tensor:
    labels, y = torch.as_tensor(of.labels), torch.as_tensor(of.y)
    return keras_metrics.confusion_matrix(labels, y, of.spec.classes, dtype=torch.int64)


def _of_all(metric: keras_metrics.Metric, outputs: Tensor, target: Tensor) -> Tensor:
    """The metric of all examples at once."""
    metric.update(outputs, target)
    return metric.compute()


SCORES = {
    "accuracy": _accuracy,
    "top_k": _top_k,
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
    "auc": _auc,
    "confusion_matrix": _confusion_matrix,
}
"""Every name in :data:`parity.reference.metrics.table.METRICS`."""
