"""Confusion matrices equal those of TensorFlow; areas differ from the exact ones as in Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity_tests.torch_impl.metrics.streams import (
    CLASSES,
    Row,
    binary,
    in_keras,
    in_torch,
    sparse,
    stream,
)

pytestmark = pytest.mark.flavour


CONFUSED = [
    ({}, None),
    ({"num_classes": 6}, None),
    ({}, np.array([0.5, 1.5, 2.9, 1.0])),
    ({"dtype": "float64"}, np.array([0.5, 1.5, 2.9, 1.0])),
    ({"dtype": "int64"}, None),
]


@pytest.mark.parametrize(("given", "weights"), CONFUSED, ids=str)
def test_confusion_matrix(
    given: dict[str, Any], weights: np.ndarray | None, keras_backend: Backend
) -> None:
    """TensorFlow's, whose weights are cut to whole numbers unless another dtype is asked for."""
    import torch

    from keras_impl.framework import tf
    from torch_impl.metrics import confusion_matrix

    target, outputs = np.array([1, 2, 2, 0]), np.array([0, 2, 1, 2])
    torch_given = {**given, "dtype": getattr(torch, given.get("dtype", "int32"))}
    tf_given = {**given, "dtype": getattr(tf, given.get("dtype", "int32"))}
    expected = tf.math.confusion_matrix(target, outputs, weights=weights, **tf_given).numpy()
    found = confusion_matrix(
        torch.from_numpy(outputs),
        torch.from_numpy(target),
        sample_weight=None if weights is None else torch.from_numpy(weights),
        **torch_given,
    ).numpy()
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


def test_confusion_matrix_of_a_stream(keras_backend: Backend) -> None:
    """Batches add up to the matrix of all of them."""
    import torch

    from keras_impl.framework import tf
    from torch_impl.metrics import ConfusionMatrix

    metric = ConfusionMatrix(CLASSES, dtype=torch.float64)
    batches = [(outputs.argmax(1), target) for outputs, target, _ in stream(sparse)]
    for outputs, target in batches:
        metric.update(torch.from_numpy(outputs), torch.from_numpy(target))
    outputs, target = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    expected = tf.math.confusion_matrix(target, outputs, CLASSES).numpy()
    assert np.array_equal(metric.compute().numpy(), expected)


def test_the_exact_area_is_another(keras_backend: Backend, flavour: str) -> None:
    """Where outputs lie between two thresholds Keras sees ties: 0.5, and the exact area is 1."""
    outputs = np.linspace(0.5001, 0.5020, 20)
    target = np.arange(20) >= 10
    batches = [(outputs, target.astype(int), np.ones(20))]
    found = in_torch(Row("AUC", binary), "unweighted", "float64", flavour, batches)[0]
    assert found == in_keras(Row("AUC", binary), "unweighted", "float64", batches)[0]
    positive, negative = outputs[target], outputs[~target]
    exact = (positive[:, None] > negative).mean()
    assert exact == 1.0
    assert abs(found - exact) > 0.08


def test_sorting_decides_ties_otherwise(keras_backend: Backend, flavour: str) -> None:
    """``torch.topk`` takes some of the tied classes; Keras's rule takes all of them."""
    import torch

    rng = np.random.default_rng(0)
    outputs = rng.integers(0, 3, (500, 10)).astype(float)  # as a coarsely rounded model's
    target = rng.integers(0, 10, 500)
    row = Row("SparseTopKCategoricalAccuracy", sparse, {"k": 2})
    batches = [(outputs, target, np.ones(500))]
    expected = in_keras(row, "unweighted", "float32", batches)[0]
    assert in_torch(row, "unweighted", "float32", flavour, batches)[0] == expected
    best = torch.from_numpy(outputs).topk(2).indices.numpy()
    naive = (best == target[:, None]).any(1).mean()
    assert expected - naive > 0.1
