"""Losses to try, on what outputs and targets, in either framework, and how near they must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

N, D = 24, 5
DTYPES = ("float64", "float32")
Arrays = tuple[np.ndarray, np.ndarray]


REDUCTIONS = {
    "tf_keras": ["sum_over_batch_size", "sum", "none"],
    "keras3": ["sum_over_batch_size", "sum", "none", "mean", "mean_with_sample_weight"],
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes a reduction or a row with all that the flavour has."""
    if "row" in metafunc.fixturenames:
        flavour = metafunc.config.getoption("--flavour")
        rows = [row for row in ROWS if flavour == "keras3" or row[0] not in KERAS_3_ONLY]
        metafunc.parametrize("row", rows, ids=name_of)
    if "reduction" in metafunc.fixturenames:
        names = REDUCTIONS[metafunc.config.getoption("--flavour")]
        metafunc.parametrize("reduction", names)


def softmax(x: np.ndarray) -> np.ndarray:
    shares = np.exp(x - x.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def one_hot(labels: np.ndarray, classes: int = D) -> np.ndarray:
    return np.eye(classes)[labels]


def outputs_of(kind: str, scale: float = 2.0) -> np.ndarray:
    """Outputs (N, D) as a model's last layer returns them."""
    x = scale * np.random.default_rng(0).standard_normal((N, D))
    return {"any": lambda x: x, "softmax": softmax, "sigmoid": sigmoid, "positive": np.exp}[kind](x)


def targets_of(kind: str) -> np.ndarray:
    """Targets (N, D), or (N,) class numbers."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, D, N)
    binary = rng.integers(0, 2, (N, D)).astype(float)
    return {
        "labels": labels,
        "one_hot": one_hot(labels),
        "soft": softmax(rng.standard_normal((N, D))),
        "binary": binary,
        "signs": 2 * binary - 1,
        "any": rng.standard_normal((N, D)),
        "counts": rng.poisson(2.0, (N, D)).astype(float),
    }[kind]


ROWS: list[tuple[str, dict[str, Any], str, str]] = [
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "any", "labels"),
    ("SparseCategoricalCrossentropy", {}, "softmax", "labels"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2}, "softmax", "labels"),
    (
        "SparseCategoricalCrossentropy",
        {"from_logits": True, "ignore_class": 2},
        "any",
        "labels",
    ),
    ("CategoricalCrossentropy", {"from_logits": True}, "any", "one_hot"),
    ("CategoricalCrossentropy", {"from_logits": True}, "any", "binary"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "any", "soft"),
    ("CategoricalCrossentropy", {}, "softmax", "soft"),
    ("CategoricalCrossentropy", {}, "positive", "one_hot"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.3}, "softmax", "one_hot"),
    ("BinaryCrossentropy", {"from_logits": True}, "any", "binary"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "any", "soft"),
    ("BinaryCrossentropy", {}, "sigmoid", "binary"),
    ("BinaryCrossentropy", {"label_smoothing": 0.3}, "sigmoid", "binary"),
    ("MeanSquaredError", {}, "any", "any"),
    ("MeanAbsoluteError", {}, "any", "any"),
    ("Huber", {}, "any", "any"),
    ("Huber", {"delta": 0.3}, "any", "any"),
    ("LogCosh", {}, "any", "any"),
    ("KLDivergence", {}, "softmax", "soft"),
    ("KLDivergence", {}, "softmax", "one_hot"),
    ("Hinge", {}, "any", "signs"),
    ("Hinge", {}, "any", "binary"),
    ("Hinge", {}, "any", "any"),
    ("SquaredHinge", {}, "any", "signs"),
    ("SquaredHinge", {}, "any", "binary"),
    ("CategoricalHinge", {}, "any", "one_hot"),
    ("Poisson", {}, "positive", "counts"),
    ("CosineSimilarity", {}, "any", "any"),
    ("CosineSimilarity", {"axis": 0}, "any", "any"),
    ("MeanAbsolutePercentageError", {}, "any", "any"),
    ("MeanAbsolutePercentageError", {}, "positive", "counts"),
    ("MeanSquaredLogarithmicError", {}, "positive", "counts"),
    ("MeanSquaredLogarithmicError", {}, "any", "any"),
    ("BinaryFocalCrossentropy", {}, "sigmoid", "binary"),
    ("BinaryFocalCrossentropy", {"from_logits": True, "gamma": 1.3}, "any", "soft"),
    (
        "BinaryFocalCrossentropy",
        {"apply_class_balancing": True, "alpha": 0.7, "label_smoothing": 0.2},
        "sigmoid",
        "binary",
    ),
    ("CategoricalFocalCrossentropy", {}, "softmax", "one_hot"),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "gamma": 3.0}, "any", "soft"),
    ("CategoricalFocalCrossentropy", {"alpha": 0.7, "label_smoothing": 0.3}, "softmax", "soft"),
    ("Dice", {}, "sigmoid", "binary"),
    ("Dice", {"axis": 1}, "softmax", "soft"),
    ("Tversky", {"alpha": 0.3, "beta": 0.9}, "sigmoid", "binary"),
    ("Tversky", {"axis": 1}, "softmax", "one_hot"),
]
"""Class, its arguments, and what kind of outputs and targets it is given."""

KERAS_3_ONLY = ("Dice", "Tversky")
"""Classes that Keras 2 does not have."""


def name_of(row: tuple[str, dict[str, Any], str, str]) -> str:
    kind, given, outputs, target = row
    return "-".join([kind, *(f"{name}={value}" for name, value in given.items()), outputs, target])


def in_keras(
    kind: str,
    given: dict[str, Any],
    outputs: np.ndarray,
    target: np.ndarray,
    weight: Any = None,
    dtype: str = "float64",
    compiled: bool = False,
) -> Arrays:
    """Keras's loss, and its gradient with respect to the outputs."""
    from keras_impl.framework import keras, set_dtype, tf

    set_dtype(dtype)
    loss = getattr(keras.losses, kind)(**given)
    x = tf.constant(outputs, dtype)
    y = tf.constant(target, "int64" if target.dtype.kind == "i" else dtype)
    w = tf.constant(weight, dtype) if isinstance(weight, np.ndarray) else weight

    def run(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            found = loss(y, x, sample_weight=w)
            loss_sum = tf.reduce_sum(found * upstream_of(tuple(found.shape)))
        return found, tape.gradient(loss_sum, x)

    found, gradient = (tf.function(run) if compiled else run)(x)
    return found.numpy(), gradient.numpy()


def in_torch(
    kind: str,
    given: dict[str, Any],
    outputs: np.ndarray,
    target: np.ndarray,
    weight: Any = None,
    dtype: str = "float64",
    *,
    flavour: str,
) -> Arrays:
    """The same in PyTorch."""
    import torch

    from torch_impl import nn

    x = torch.from_numpy(outputs.copy()).to(getattr(torch, dtype)).requires_grad_()
    w = torch.from_numpy(weight).to(x.dtype) if isinstance(weight, np.ndarray) else weight
    loss = getattr(nn, kind)(**given, flavour=flavour)
    found = loss(x, torch.from_numpy(target), w)
    (found * torch.from_numpy(upstream_of(tuple(found.shape))).to(x.dtype)).sum().backward()
    assert found.dtype == x.dtype
    assert x.grad is not None
    return found.detach().numpy(), x.grad.numpy()


def upstream_of(shape: tuple[int, ...]) -> np.ndarray:
    """What losses of this shape are multiplied by before the gradient is taken."""
    return np.asarray(np.random.default_rng(2).uniform(0.5, 2.0, shape))


LIMITS = {dtype: 8 * float(np.finfo(dtype).eps) for dtype in DTYPES}
"""Relative to the largest entry: eight roundings. Measured is 2.7 on these rows, in both dtypes;
exponentials, logarithms and sums over N differ by one or two between the frameworks.
"""


def assert_same(
    found: Arrays, expected: Arrays, dtype: str = "float64", at_least: float = 0.0
) -> None:
    """Value and gradient: shape, dtype, NaN and infinity in the same places, the rest close.

    Relative to the largest entry, or to ``at_least`` if that is more.
    """
    for name, t, k in zip(("value", "gradient"), found, expected, strict=True):
        assert t.shape == k.shape, f"{name}: {t.shape} instead of {k.shape}"
        assert t.dtype == k.dtype, name
        finite = np.isfinite(k)
        assert np.array_equal(t[~finite], k[~finite], equal_nan=True), f"{name}: {t}, not {k}"
        assert np.isfinite(t[finite]).all(), f"{name}: {t}, not {k}"
        if finite.any():
            scale = max(abs(k[finite]).max(), at_least) or 1.0
            away = abs(t[finite] - k[finite]).max() / scale
            assert away <= LIMITS[dtype], f"{name}: {away:.1e} of {LIMITS[dtype]:.1e}"


WEIGHTS: dict[str, Callable[[int], Any]] = {
    "none": lambda n: None,
    "examples": lambda n: np.random.default_rng(3).uniform(0, 2, n),
}
