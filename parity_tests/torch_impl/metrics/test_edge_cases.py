"""Ties, NaN, rounding and unusual weights count as in Keras."""

from __future__ import annotations

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity_tests.torch_impl.metrics.streams import (
    EVEN,
    FLOAT32_ULPS,
    INF,
    NAN,
    UNEVEN,
    Row,
    binary,
    in_keras,
    in_torch,
    labels,
    sparse,
    ulps,
)

pytestmark = pytest.mark.flavour


ODD = [
    [NAN, 1.0, 2.0, 0.0],
    [NAN, NAN, NAN, NAN],
    [-INF, NAN, -INF, -INF],
    [3.0, NAN, 2.0, 1.0],
    [INF, 1.0, 0.0, NAN],
    [1.0, INF, 0.0, 0.5],
    [-INF, -INF, -INF, -INF],
    [1.0, 1.0, 0.0, 0.0],
    [-0.0, 0.0, -1.0, -1.0],
    [0.0, -0.0, -1.0, -1.0],
    [100.0, -100.0, 100.0, 0.0],
]
"""Rows with ties, both zeros, NaN and infinities."""


@pytest.mark.parametrize("name", ["SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy"])
def test_odd_rows_are_classified_like_keras(
    name: str, keras_backend: Backend, flavour: str
) -> None:
    """Which class a row counts for, NaN and −0.0 included, and class numbers out of range."""
    given = {"k": 2} if "TopK" in name else {}
    row = Row(name, sparse, given)
    batches = [
        (np.array([scores]), np.array([number]), np.ones(1))
        for scores in ODD
        for number in (-1, 0, 1, 2, 3, 4)
    ]
    expected = in_keras(row, "unweighted", "float32", batches)
    found = in_torch(row, "unweighted", "float32", flavour, batches)
    assert np.array_equal(expected, found)


def test_negative_zero_is_less_in_keras_3(flavour: str) -> None:
    """The first of two zeros is the largest in Keras 2, the positive one in Keras 3."""
    import torch

    from torch_impl.metrics import SparseCategoricalAccuracy

    metric = SparseCategoricalAccuracy(flavour=flavour)
    metric.update(torch.tensor([[-0.0, 0.0]]), torch.tensor([1]))
    assert metric.compute().item() == (flavour == "keras3")


OUTSIDE = np.array([NAN, 0.2, 0.3, 1.5, -2.0, 0.9, 0.0, 1.0])


@pytest.mark.parametrize(
    "row",
    [
        Row("AUC", binary),
        Row("AUC", binary, {"curve": "PR"}),
        Row("Precision", binary, {"thresholds": EVEN}),
        Row("Recall", binary, {"thresholds": EVEN}),
        Row("Precision", binary, {"thresholds": UNEVEN}),
        Row("Precision", binary, {"thresholds": [0.0, 0.500005, 1.0]}),
        Row("BinaryAccuracy", binary),
    ],
    ids=str,
)
def test_outputs_that_are_no_probabilities(row: Row, keras_backend: Backend, flavour: str) -> None:
    """NaN, below 0, above 1, and just beside a threshold that is taken for an even one."""
    beside = np.array([0.5, 0.5000001, 0.500004, 0.5000049, 0.500006, 0.50001, 0.7, 0.1])
    target = np.array([1, 0, 1, 0, 1, 0, 1, 1])
    batches = [(OUTSIDE, target, np.ones(8)), (beside, target, np.ones(8))]
    expected = in_keras(row, "unweighted", "float32", batches)
    found = in_torch(row, "unweighted", "float32", flavour, batches)
    for k, t in zip(expected, found, strict=True):
        assert ulps(t, k, row.scale) <= FLOAT32_ULPS


@pytest.mark.parametrize("average", [None, "macro"])
def test_f_scores_of_ties_and_zeros(
    average: str | None, keras_backend: Backend, flavour: str
) -> None:
    """All of several largest outputs are positive, and none that is within 1e-9 of zero."""
    outputs = [[0.5, 0.5, 0.1], [0.0, 0.0, 0.0], [-1.0, -0.5, -5e-10], [0.0, 1e-8, -100.0]]
    target = [[1, 0, 1], [0, 1, 0], [0, 0, 1], [0, 1, 0]]
    batches = [(np.array(outputs), np.array(target), np.ones(4))]
    row = Row("F1Score", labels, {"average": average})
    expected = in_keras(row, "unweighted", "float32", batches)[0]
    assert ulps(in_torch(row, "unweighted", "float32", flavour, batches)[0], expected, 1.0) <= 1
    if average is None:
        assert expected == pytest.approx([1.0, 0.5, 0.0], abs=1e-6)


def test_outputs_are_rounded_to_the_metric_in_keras_2(keras_backend: Backend, flavour: str) -> None:
    """A float64 output just above 0.5 is positive for a float32 metric in Keras 3 only."""
    import torch

    from keras_impl.framework import keras, set_dtype, tf
    from torch_impl.metrics import BinaryAccuracy

    set_dtype("float32")
    metric = keras.metrics.BinaryAccuracy()
    metric.update_state(tf.ones(1, tf.float64), tf.constant([0.5 + 1e-9], tf.float64))
    own = BinaryAccuracy(dtype=torch.float32, flavour=flavour)
    own.update(torch.tensor([0.5 + 1e-9], dtype=torch.float64), torch.ones(1))
    assert own.compute().item() == float(metric.result()) == (flavour == "keras3")


def test_keras_2_refuses_weights_of_unlike_ranks(keras_backend: Backend, flavour: str) -> None:
    """Outputs (N, 1), targets (N,) and weights (N,), which Keras 3 takes, and so is done here."""
    import torch

    from keras_impl.framework import keras, set_dtype, tf
    from torch_impl.metrics import Precision

    set_dtype("float64")
    outputs, target = np.array([[0.5], [0.6], [0.7], [0.1]]), np.array([1.0, 0.0, 1.0, 0.0])
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    metric = keras.metrics.Precision()
    given = tf.constant(target), tf.constant(outputs), tf.constant(weight)
    if flavour == "tf_keras":
        with pytest.raises(ValueError, match="weights can not be broadcast to values"):
            metric.update_state(*given)
    else:
        metric.update_state(*given)
        assert float(metric.result()) == 3 / 5
    own = Precision(dtype=torch.float64, flavour=flavour)
    own.update(*(torch.from_numpy(values) for values in (outputs, target, weight)))
    assert own.compute().item() == 3 / 5


def test_a_single_weight_counts_a_batch_once_in_keras_3(
    keras_backend: Backend, flavour: str
) -> None:
    """So a short last batch counts as much as a full one, and the two Kerases part."""
    batches = [
        (np.array([0.9, 0.9, 0.9, 0.1]), np.ones(4), np.ones(4)),
        (np.array([0.1, 0.1]), np.ones(2), np.ones(2)),
    ]
    row = Row("BinaryAccuracy", binary)
    expected = in_keras(row, "one_weight", "float64", batches)[-1]
    assert in_torch(row, "one_weight", "float64", flavour, batches)[-1] == expected
    assert abs(expected - {"tf_keras": 3 / 6, "keras3": (3 / 4 + 0) / 2}[flavour]) < 1e-15


def test_float32_counts_stop_at_two_to_the_24(keras_backend: Backend, flavour: str) -> None:
    """One more example is lost on a float32 count, in Keras as here; not in float64."""
    row = Row("BinaryAccuracy", binary)
    batches = [
        (np.array([0.9]), np.ones(1), np.array([2.0**24])),
        *[(np.array([0.1]), np.ones(1), np.ones(1))] * 4,
    ]
    assert in_keras(row, "weighted", "float32", batches)[-1] == 1.0
    assert in_torch(row, "weighted", "float32", flavour, batches)[-1] == 1.0
    k, t = in_keras(row, "weighted", "float64", batches), None
    t = in_torch(row, "weighted", "float64", flavour, batches)
    assert t[-1] == k[-1] < 1.0
