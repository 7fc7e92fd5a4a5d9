"""Metrics: batches streamed through Keras's and PyTorch's, down to the last one, which is short."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity.numerics.tolerance import FLOAT64

pytestmark = pytest.mark.flavour

SIZES = (16, 16, 5)
CLASSES = 4
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Outputs, targets, weights."""


def probabilities(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Rounded to hundredths, so that there are ties and thresholds are met; with 0 and 1."""
    values = np.round(rng.random(shape), 2)
    values.flat[0], values.flat[1] = 0.0, 1.0
    return values


def binary(rng: np.random.Generator, count: int) -> Batch:
    """Outputs (N, 1), targets (N, 1)."""
    outputs = probabilities(rng, (count, 1))
    outputs[3] = 0.5
    return outputs, rng.integers(0, 2, (count, 1)), rng.random(count)


def labels(rng: np.random.Generator, count: int) -> Batch:
    """Several labels an example: outputs and targets (N, classes)."""
    outputs = probabilities(rng, (count, CLASSES))
    return outputs, rng.integers(0, 2, (count, CLASSES)), rng.random(count)


def logits(rng: np.random.Generator, count: int) -> Batch:
    """Outputs of any size, ±100 among them."""
    outputs = rng.standard_normal((count, CLASSES)) * 3
    outputs[0, :2] = -100.0, 100.0
    return outputs, rng.integers(0, 2, (count, CLASSES)), rng.random(count)


def sparse(rng: np.random.Generator, count: int) -> Batch:
    """Outputs (N, classes) with ties, targets (N,)."""
    outputs = np.round(rng.standard_normal((count, CLASSES)), 0)
    return outputs, rng.integers(0, CLASSES, count), rng.random(count)


def one_hot(rng: np.random.Generator, count: int) -> Batch:
    """The same with targets (N, classes)."""
    outputs, target, weights = sparse(rng, count)
    return outputs, np.eye(CLASSES)[target], weights


def over_time(rng: np.random.Generator, count: int) -> Batch:
    """Outputs (N, steps, classes), targets (N, steps)."""
    outputs = np.round(rng.standard_normal((count, 3, CLASSES)), 0)
    return outputs, rng.integers(0, CLASSES, (count, 3)), rng.random(count)


def steps_weighted(rng: np.random.Generator, count: int) -> Batch:
    """The same with a weight for each step."""
    outputs, target, _ = over_time(rng, count)
    return outputs, target, rng.random((count, 3))


def whole_numbers(rng: np.random.Generator, count: int) -> Batch:
    """Numbers that are compared as they are, (N, 3)."""
    return (
        rng.integers(0, 3, (count, 3)).astype(float),
        rng.integers(0, 3, (count, 3)),
        rng.random(count),
    )


@dataclass(frozen=True)
class Row:
    """A metric of both frameworks."""

    name: str
    batches: Callable[[np.random.Generator, int], Batch]
    given: dict[str, Any] = field(default_factory=dict)
    keras_given: dict[str, Any] | None = None
    """What Keras calls otherwise."""
    float32_only: tuple[str, ...] = ()
    """Flavours whose Keras refuses float64."""
    scale: float = 1e-3
    """Size of what is added up, at least."""

    def __str__(self) -> str:
        return "-".join([self.name, *(f"{k}={v}" for k, v in self.given.items())]) + (
            f"-{self.batches.__name__}"
        )


BOTH = ("tf_keras", "keras3")
EVEN = [0.0, 0.25, 0.5, 0.75, 1.0]
UNEVEN = [0.1, 0.5, 0.9]


def auc(**given: Any) -> list[Row]:
    """An area on every batch that suits it; Keras calls ``summation`` ``summation_method``."""
    keras_given = dict(given)
    if "summation" in given:
        keras_given["summation_method"] = keras_given.pop("summation")
    if given.get("curve") == "PR_GAIN":  # the one spelling that both Kerases take is another
        keras_given["curve"] = "PRGAIN"
    scale = 1.0 if given.get("curve") == "PR_GAIN" else 1e-3  # a gain is 1, or less than −1
    return [Row("AUC", batches, given, keras_given, (), scale) for batches in (labels, binary)]


ROWS = [
    Row("Accuracy", whole_numbers),
    Row("BinaryAccuracy", binary),
    Row("BinaryAccuracy", labels),
    Row("BinaryAccuracy", logits),
    Row("BinaryAccuracy", labels, {"threshold": 0.3}),
    Row("CategoricalAccuracy", one_hot),
    Row("SparseCategoricalAccuracy", sparse),
    Row("SparseCategoricalAccuracy", over_time),
    Row("SparseCategoricalAccuracy", steps_weighted),
    *(Row("TopKCategoricalAccuracy", one_hot, {"k": k}, float32_only=BOTH) for k in (1, 2, 9)),
    *(Row("SparseTopKCategoricalAccuracy", sparse, {"k": k}, float32_only=BOTH) for k in (1, 2)),
    Row("SparseTopKCategoricalAccuracy", over_time, {"k": 2}, float32_only=BOTH),
    *(
        Row(name, batches, given, None, ("tf_keras",) if "top_k" in given else ())
        for name in ("Precision", "Recall")
        for batches, given in (
            (binary, {}),
            (labels, {}),
            (labels, {"thresholds": 0.3}),
            (labels, {"thresholds": UNEVEN}),
            (labels, {"thresholds": EVEN}),
            (labels, {"class_id": 2}),
            (one_hot, {"top_k": 1}),
            (labels, {"top_k": 2}),
            (labels, {"top_k": 2, "class_id": 1}),
            (labels, {"top_k": 3, "thresholds": 0.5}),
        )
    ),
    *(
        Row(name, labels, {"average": average, "threshold": threshold, **beta}, None, only)
        for name, beta, only in (
            ("F1Score", {}, ("tf_keras",)),
            ("FBetaScore", {"beta": 0.3}, ("tf_keras",)),
        )
        for average in (None, "micro", "macro", "weighted")
        for threshold in (None, 0.4)
    ),
    *auc(),
    *auc(num_thresholds=2),
    *auc(num_thresholds=5),
    *(
        row
        for curve in ("ROC", "PR", "PR_GAIN")
        for summation in ("interpolation", "minoring", "majoring")
        for row in auc(curve=curve, summation=summation)
    ),
    *auc(thresholds=UNEVEN),
    *auc(thresholds=EVEN[1:-1], curve="PR"),
    Row("AUC", labels, {"multi_label": True}),
    Row("AUC", labels, {"multi_label": True, "curve": "PR"}),
    Row("AUC", labels, {"multi_label": True, "thresholds": UNEVEN}),
    Row("AUC", labels, {"multi_label": True, "label_weights": [1.0, 0.5, 0.0, 2.0]}),
    Row("AUC", labels, {"label_weights": [1.0, 0.5, 0.0, 2.0]}),
    Row("AUC", logits, {"from_logits": True}),
]


def stream(batches: Callable[[np.random.Generator, int], Batch]) -> list[Batch]:
    """Three batches, the last one short."""
    rng = np.random.default_rng(0)
    return [batches(rng, size) for size in SIZES]


def in_keras(
    row: Row, weighting: str, dtype: str, batches: list[Batch] | None = None
) -> list[np.ndarray]:
    """Keras's result after every batch."""
    from keras_impl.framework import keras, set_dtype, tf

    set_dtype(dtype)
    given = row.given if row.keras_given is None else row.keras_given
    metric = getattr(keras.metrics, row.name)(**given)
    found = []
    for outputs, target, weight in batches or stream(row.batches):
        metric.update_state(
            tf.constant(target.astype(dtype)),
            tf.constant(outputs.astype(dtype)),
            sample_weight=weights_of(weighting, weight.astype(dtype)),
        )
        found.append(np.asarray(metric.result()))
    metric.reset_state()
    return found


def in_torch(
    row: Row, weighting: str, dtype: str, flavour: str, batches: list[Batch] | None = None
) -> list[np.ndarray]:
    """PyTorch's result after every batch."""
    import torch

    from torch_impl import metrics

    metric = getattr(metrics, row.name)(**row.given, dtype=getattr(torch, dtype), flavour=flavour)
    found = []
    for outputs, target, weight in batches or stream(row.batches):
        weight = weights_of(weighting, weight.astype(dtype))
        metric.update(
            torch.from_numpy(outputs.astype(dtype)),
            torch.from_numpy(target),
            torch.from_numpy(weight) if isinstance(weight, np.ndarray) else weight,
        )
        found.append(metric.compute().numpy())
    return found


def weights_of(weighting: str, weight: np.ndarray) -> Any:
    """None, one number, or one for each example."""
    return {"unweighted": None, "one_weight": 0.3, "weighted": weight}[weighting]


def ulps(found: np.ndarray, expected: np.ndarray, scale: float) -> float:
    """Distance in units of the last place of the largest entry, or of ``scale``."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert np.isfinite(found).all()
    return float(
        abs(found - expected).max()
        / np.spacing(max(abs(expected).max(), expected.dtype.type(scale)))
    )


FLOAT32_ULPS = 8
"""Sums of 37 to 148 weights in another order; measured 2."""

AREA_ULPS = 16
"""Areas add up 199 such quotients: measured 8, of which Keras's own distance from its float64
result is 8 and PyTorch's at most 5."""


@pytest.mark.parametrize("weighting", ["unweighted", "weighted", "one_weight"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_equals_keras(
    row: Row, dtype: str, weighting: str, keras_backend: Backend, flavour: str
) -> None:
    """After every batch the result is Keras's."""
    if dtype == "float64" and flavour in row.float32_only:
        pytest.skip("Keras refuses float64 here, see test_keras_refuses_float64")
    if weighting == "one_weight" and row.name in ("F1Score", "FBetaScore"):
        pytest.skip("Keras's F scores take no single weight")
    expected = in_keras(row, weighting, dtype)
    found = in_torch(row, weighting, dtype, flavour)
    for step, (k, t) in enumerate(zip(expected, found, strict=True)):
        assert k.shape == t.shape
        if dtype == "float64":
            assert abs(k - t).max() <= FLOAT64["forward_eval"].limit, f"batch {step}"
        else:
            limit = AREA_ULPS if row.name == "AUC" else FLOAT32_ULPS
            assert ulps(t, k, row.scale) <= limit, f"batch {step}: {t} for {k}"
    assert any((abs(k) > 0).any() for k in expected), "nothing but zeros was compared"


REFUSED = [
    ("TopKCategoricalAccuracy", {"k": 2}, BOTH),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, BOTH),
    ("Precision", {"top_k": 2}, ("tf_keras",)),
    ("F1Score", {}, ("tf_keras",)),
]


@pytest.mark.parametrize(("name", "given", "flavours"), REFUSED, ids=str)
def test_keras_refuses_float64(
    name: str,
    given: dict[str, Any],
    flavours: tuple[str, ...],
    keras_backend: Backend,
    flavour: str,
) -> None:
    """Why some rows are compared in float32 only: as long as it is so, say so."""
    from keras_impl.framework import keras, set_dtype, tf

    if flavour not in flavours:
        pytest.skip("this Keras takes float64")
    set_dtype("float64")
    outputs, target, _ = (sparse if name.startswith("Sparse") else one_hot)(
        np.random.default_rng(0), 8
    )
    metric = getattr(keras.metrics, name)(**given)

    def run() -> Any:
        metric.update_state(tf.constant(target.astype("float64")), tf.constant(outputs))
        return metric.result()

    with pytest.raises((tf.errors.InvalidArgumentError, TypeError)):
        run()


NAN, INF = np.nan, np.inf
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


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_reset_forgets(row: Row, flavour: str) -> None:
    """After a reset the same batches give the same result, and half of them another."""
    import torch

    from torch_impl import metrics

    metric = getattr(metrics, row.name)(**row.given, flavour=flavour)
    found = []
    for _ in range(2):
        for outputs, target, weight in stream(row.batches):
            weight = None if row.name == "F1Score" else torch.from_numpy(weight)
            metric.update(torch.from_numpy(outputs), torch.from_numpy(target), weight)
        found.append(metric.compute())
        metric.reset()
    assert torch.equal(*found)
    assert found[0].dtype == torch.float32
    assert not metric.state


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_nothing_is_read_back(row: Row, flavour: str) -> None:
    """State and result stay on the outputs' device: it works on one that holds no numbers."""
    import torch

    from torch_impl import metrics

    metric = getattr(metrics, row.name)(**row.given, flavour=flavour)
    for outputs, target, weight in stream(row.batches):
        given = (torch.from_numpy(values).to("meta") for values in (outputs, target, weight))
        metric.update(*given)
    assert metric.compute().device.type == "meta"
    assert {tensor.device.type for tensor in metric.state.values()} == {"meta"}


@pytest.mark.parametrize(
    "name",
    ["Accuracy", "BinaryAccuracy", "SparseCategoricalAccuracy", "Precision", "Recall", "AUC"],
)
def test_before_the_first_batch(name: str, keras_backend: Backend, flavour: str) -> None:
    """Without any batch the result is Keras's zero."""
    from keras_impl.framework import keras
    from torch_impl import metrics

    expected = np.asarray(getattr(keras.metrics, name)().result())
    assert getattr(metrics, name)(flavour=flavour).compute().numpy() == expected == 0.0


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
