"""Streams of batches, and each metric computed over them by Keras and by PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

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


def numbers(rng: np.random.Generator, count: int) -> Batch:
    """A regression: outputs and targets (N, 3)."""
    target = rng.standard_normal((count, 3))
    return target + 0.5 * rng.standard_normal((count, 3)), target, rng.random(count)


def distributions(rng: np.random.Generator, count: int) -> Batch:
    """Outputs and targets (N, classes) that sum to 1."""
    outputs, target = (rng.dirichlet(np.ones(CLASSES), count) for _ in range(2))
    return outputs, target, rng.random(count)


def shares(rng: np.random.Generator, count: int) -> Batch:
    """The same outputs with class numbers (N,) as targets."""
    outputs, target, weights = distributions(rng, count)
    return outputs, target.argmax(-1), weights


def pixels(rng: np.random.Generator, count: int) -> Batch:
    """Class numbers (N, 2, 3), and a weight for each."""
    outputs, target = (rng.integers(0, CLASSES - 1, (count, 2, 3)) for _ in range(2))
    return outputs.astype(float), target, rng.random((count, 2, 3))


def masks(rng: np.random.Generator, count: int) -> Batch:
    """Probabilities (N, 2, 3) with binary targets, and a weight for each."""
    shape = count, 2, 3
    return probabilities(rng, shape), rng.integers(0, 2, shape), rng.random(shape)


def pixel_shares(rng: np.random.Generator, count: int) -> Batch:
    """One-hot targets of the same pixels, and outputs with a class axis."""
    _, target, weights = pixels(rng, count)
    return rng.random((*target.shape, CLASSES)), np.eye(CLASSES)[target], weights


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


SPARSE = ("sparse_y_true", "sparse_y_pred")


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
    *(
        Row(name, numbers)
        for name in (
            *("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError"),
            *("MeanSquaredLogarithmicError", "RootMeanSquaredError", "LogCoshError"),
            *("CosineSimilarity", "Hinge", "SquaredHinge", "R2Score"),
        )
    ),
    Row("RootMeanSquaredError", binary),
    Row("CosineSimilarity", numbers, {"axis": -1}),
    *(Row(name, distributions) for name in ("KLDivergence", "Poisson", "CategoricalHinge")),
    Row("BinaryCrossentropy", binary),
    Row("BinaryCrossentropy", logits, {"from_logits": True, "label_smoothing": 0.125}),
    Row("CategoricalCrossentropy", distributions, {"label_smoothing": 0.125}),
    Row("SparseCategoricalCrossentropy", shares),
    Row("SparseCategoricalCrossentropy", over_time, {"from_logits": True}),
    Row("SparseCategoricalCrossentropy", shares, {"ignore_class": 1}),
    Row("R2Score", numbers, {"class_aggregation": None}),
    Row("R2Score", numbers, {"class_aggregation": "variance_weighted_average"}),
    Row("R2Score", numbers, {"num_regressors": 3}, None, ("tf_keras",)),
    Row("IoU", pixels, {"num_classes": CLASSES, "target_class_ids": [0, 2]}),
    Row("IoU", pixels, {"num_classes": CLASSES, "target_class_ids": [2, 3], "ignore_class": 1}),
    Row("MeanIoU", pixels, {"num_classes": CLASSES}),
    Row("MeanIoU", pixel_shares, {"num_classes": CLASSES, **dict.fromkeys(SPARSE, False)}),
    Row("OneHotIoU", pixel_shares, {"num_classes": CLASSES, "target_class_ids": [1]}),
    Row("OneHotMeanIoU", pixel_shares, {"num_classes": CLASSES, "ignore_class": 0}),
    *(
        Row(name, batches, given)
        for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives")
        for batches, given in ((binary, {}), (labels, {"thresholds": UNEVEN}))
    ),
    *(
        Row(f"{best}At{constrained}", batches, {"least": 0.5, **given}, given)
        for best, constrained in (
            *(("Sensitivity", "Specificity"), ("Specificity", "Sensitivity")),
            *(("Precision", "Recall"), ("Recall", "Precision")),
        )
        for batches, given in ((binary, {}), (labels, {"num_thresholds": 7, "class_id": 1}))
    ),
    Row("BinaryIoU", binary),
    Row("BinaryIoU", masks, {"target_class_ids": [1], "threshold": 0.3}),
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
    least = (row.given["least"],) if "least" in row.given else ()  # Keras names it by the metric
    metric = getattr(keras.metrics, row.name)(*least, **given, dtype=dtype)
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


NAN, INF = np.nan, np.inf
