"""Keras's metrics of a classifier's outputs. Twin: ``torch_impl/parts/scores.py``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_impl.framework import keras, tf
from parity.specs.base import ModelSpec
from parity.specs.predictions import Returned


class _Returned(Returned):
    """A model's outputs for some examples, and the targets."""

    def common(self, dtype: str = "") -> dict[str, Any]:
        """Arguments of every metric."""
        return {"dtype": dtype or self.dtype}

    def columns(self, labels: np.ndarray, dtype: str = "") -> Any:
        """Class numbers (N,) as (N, units): one-hot, or unchanged for a sigmoid head."""
        if self.softmax:
            return tf.one_hot(labels, self.spec.classes, dtype=dtype or self.dtype)
        return tf.constant(labels[:, None], dtype or self.dtype)

    def probabilities(self) -> Any:
        """Probabilities (N, units): of each class, or of class 1 for a sigmoid head."""
        return tf.constant(self.of_units(), self.dtype)


def scores_of(
    names: Iterable[str], spec: ModelSpec, outputs: np.ndarray, y: np.ndarray, top_k: int
) -> dict[str, np.ndarray]:
    """See :meth:`parity.adapters.backend.Backend.scores`."""
    returned = _Returned(spec, outputs, y, top_k)
    return {name: np.asarray(SCORES[name](returned)) for name in names}


def _accuracy(of: _Returned) -> Any:
    if not of.softmax:
        binary = keras.metrics.BinaryAccuracy(threshold=0.5, **of.common())
        return _of_all(binary, of.columns(of.labels), of.columns(of.y))
    metric = keras.metrics.SparseCategoricalAccuracy(**of.common())
    return _of_all(metric, tf.constant(of.outputs), tf.constant(of.y))


def _top_k(of: _Returned) -> Any:
    metric = keras.metrics.SparseTopKCategoricalAccuracy(of.top_k, **of.common("float32"))
    return _of_all(metric, tf.constant(of.outputs, tf.float32), tf.constant(of.y))


def _precision(of: _Returned) -> Any:
    return _over_classes(of, keras.metrics.Precision)


def _recall(of: _Returned) -> Any:
    return _over_classes(of, keras.metrics.Recall)


def _over_classes(of: _Returned, kind: Any) -> Any:
    """The unweighted mean of the metric over the classes; class 1 only for a sigmoid head."""
    found, wanted = of.columns(of.labels), of.columns(of.y)
    each = [
        _of_all(kind(thresholds=0.5, class_id=number, **of.common()), found, wanted)
        for number in range(of.spec.outputs)
    ]
    return tf.reduce_mean(tf.stack(each))


def _f1(of: _Returned) -> Any:
    # Keras 2's F score does not support float64
    dtype = "float32" if of.spec.flavour == "tf_keras" else of.dtype
    metric = keras.metrics.F1Score(average="macro", threshold=0.5, **of.common(dtype))
    return _of_all(metric, of.columns(of.labels, dtype), of.columns(of.y, dtype))


def _auc(of: _Returned) -> Any:
    metric = keras.metrics.AUC(
        num_thresholds=200,
        curve="ROC",
        summation_method="interpolation",
        multi_label=of.softmax,
        from_logits=False,
        **of.common(),
    )
    return _of_all(metric, of.probabilities(), of.columns(of.y))


def _confusion_matrix(of: _Returned) -> Any:
    return tf.math.confusion_matrix(of.y, of.labels, of.spec.classes, dtype=tf.int64)


def _of_all(metric: Any, outputs: Any, target: Any) -> Any:
    """The metric of all examples at once."""
    metric.update_state(target, outputs)
    return metric.result()


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
