"""Demonstrations of the differences between metrics, by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import n, normal, t
from torch_impl import metrics


def of_keras(
    kind: str, target: np.ndarray, outputs: np.ndarray, dtype: str = "float64", **given: Any
) -> np.ndarray:
    from keras_impl.framework import keras, set_dtype

    set_dtype(dtype)
    metric = getattr(keras.metrics, kind)(**given)
    metric.update_state(target, outputs.astype(dtype))
    return np.asarray(metric.result().numpy(), np.float64)


def of_ours(kind: str, target: np.ndarray, outputs: np.ndarray, **given: Any) -> np.ndarray:
    metric = getattr(metrics, kind)(dtype=torch.float64, **given)
    metric.update(t(outputs), t(target))
    return n(metric.compute().double())


def top_k_ties(flavour: str) -> Shown:
    kind, target = "SparseTopKCategoricalAccuracy", np.arange(20) % 5
    outputs = np.ones((20, 5))
    hits = (t(outputs).topk(1).indices == t(target)[:, None]).any(1)
    keras = of_keras(kind, target, outputs, "float32", k=1)  # the only dtype of its kernel
    return Shown(keras, n(hits.double().mean()), of_ours(kind, target, outputs, k=1))


def auc(flavour: str) -> Shown:
    labels = (normal(100, seed=5) > 0).astype(float)
    p = 0.01 * np.clip(labels * 0.3 + np.random.default_rng(6).random(100), 0, 2)
    above = p[labels == 1][:, None] - p[labels == 0]
    exact = ((above > 0) + 0.5 * (above == 0)).mean()
    ours = of_ours("AUC", labels, p, flavour=flavour)
    return Shown(of_keras("AUC", labels, p), np.asarray(exact), ours)


def binary_threshold(flavour: str) -> Shown:
    x, y = normal(50, 1), (normal(50, 1) + 0.5 * normal(50, 1, seed=1) > 0).astype(float)
    ports = (n(((t(x) > cut) == t(y)).double().mean()) for cut in (0.0, 0.5))
    return Shown(of_keras("BinaryAccuracy", y, x), *ports)


def argmax_nan(flavour: str) -> Shown:
    from keras_impl.framework import tf

    x = np.array([[1.0, np.nan, 2.0], [0.0, 5.0, np.nan], [np.nan, 1.0, 3.0]])
    without = torch.where(t(x).isnan(), -np.inf, t(x))
    ports = (n(one.argmax(-1).double()) for one in (t(x), without))
    return Shown(tf.argmax(x, -1).numpy().astype(float), *ports)


DEMONSTRATIONS: dict[str, Demonstration] = {
    "metric.top_k_ties": top_k_ties,
    "metric.auc_thresholds": auc,
    "metric.binary_threshold": binary_threshold,
    "metric.argmax_nan": argmax_nan,
}
