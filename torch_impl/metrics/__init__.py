"""Keras's metrics for PyTorch, with the methods ``update``, ``compute`` and ``reset``.

The state has Keras's dtype and stays on the outputs' device; nothing is copied to the host until
the result of ``compute`` is read.
"""

from torch_impl.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from torch_impl.metrics.auc import AUC
from torch_impl.metrics.base import Metric
from torch_impl.metrics.confusion import ConfusionMatrix, confusion_matrix
from torch_impl.metrics.fscore import F1Score, FBetaScore
from torch_impl.metrics.precision_recall import Precision, Recall

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "ConfusionMatrix",
    "F1Score",
    "FBetaScore",
    "Metric",
    "Precision",
    "Recall",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "confusion_matrix",
]
