"""Keras's metrics for PyTorch: ``update`` with every batch, ``compute``, ``reset``.

State is kept on the outputs' device, in the dtype that Keras keeps it in; nothing is copied to the
host before ``compute``'s result is read.
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
