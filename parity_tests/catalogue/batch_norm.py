"""Demonstrations of the differences in batch normalisation, by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from parity.constants import as_float32
from parity.reference.layers.batch_norm import KERAS_DEFAULTS, BatchNorm
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import keras_layer, load, n, normal, out, t, variables
from parity_tests.catalogue.frameworks import weights_of as weights

USUAL = BatchNorm(**KERAS_DEFAULTS["BatchNormalization"])
REFERENCES: list[tuple[BatchNorm, Any, dict[str, Any]]] = [
    (config, x, {"training": training})
    for training in (False, True)
    for config, x in (
        (USUAL, normal(8, 3) * 3 + 1),
        (USUAL, normal(4, 5, 6, 3)),
        (BatchNorm(axis=1, momentum=0.9, epsilon=1e-5, center=False, scale=True), normal(4, 3, 5)),
        (BatchNorm(axis=-1, momentum=0.5, epsilon=0.1, center=True, scale=False), normal(4, 6, 3)),
    )
]
VALID = np.arange(5) < np.array([2, 5, 3, 4])[:, None]
REFERENCES.append((USUAL, normal(4, 5, 3) + 1, {"training": True, "mask": VALID}))


def of_torch(layer: Any, eps: float = 1e-3, momentum: float = 0.01) -> Any:
    w = weights(layer)
    return load(
        nn.BatchNorm1d(len(w["gamma"]), eps=eps, momentum=momentum),
        weight=w["gamma"],
        bias=w["beta"],
        running_mean=w["moving_mean"],
        running_var=w["moving_variance"],
    )


def epsilon(flavour: str) -> Shown:
    x = normal(8, 3)
    layer = keras_layer("BatchNormalization", x)
    ports = [of_torch(layer, eps).eval()(t(x)) for eps in (1e-5, 1e-3)]
    return Shown(out(layer, x), *map(n, ports))


def running_statistics(flavour: str) -> Shown:
    x = normal(8, 3)
    layer = keras_layer("BatchNormalization", x)
    w = weights(layer)
    of_the_batch = load(
        nn.BatchNorm1d(3, eps=1e-3, track_running_stats=False), weight=w["gamma"], bias=w["beta"]
    )
    ports = [one.eval()(t(x)) for one in (of_the_batch, of_torch(layer))]
    return Shown(out(layer, x), *map(n, ports))


def running(statistic: str, flavour: str, rates: tuple[float, float]) -> list[np.ndarray]:
    """A running statistic after a step: in Keras, and in PyTorch with both values of momentum."""
    x = normal(8, 3) * 2 + 1
    layer = keras_layer("BatchNormalization", x)
    ports = []
    for rate in rates:
        port = of_torch(layer, momentum=rate).train()
        port(t(x))
        ports.append(n(getattr(port, statistic)))
    out(layer, x, training=True)
    name = {"running_mean": "moving_mean", "running_var": "moving_variance"}[statistic]
    return [variables(layer)[name].numpy(), *ports]


def share_of_the_new(flavour: str) -> float:
    """1 − 0.99, which Keras 2 rounds to float32."""
    return as_float32(1 - 0.99) if flavour == "tf_keras" else 1 - 0.99


def momentum(flavour: str) -> Shown:
    return Shown(*running("running_mean", flavour, (0.99, share_of_the_new(flavour))))


def running_variance(flavour: str) -> Shown:
    rate = share_of_the_new(flavour)
    keras, naive = running("running_var", flavour, (rate, rate))[:2]
    x = normal(8, 3) * 2 + 1
    before = t(weights(keras_layer("BatchNormalization", x))["moving_variance"])
    return Shown(keras, naive, n(before.lerp(t(x).var(0, unbiased=False), rate)))


def batch_of_one(flavour: str) -> Shown:
    x = normal(1, 3)
    layer = keras_layer("BatchNormalization", x)
    port = of_torch(layer).train()
    try:
        naive = n(port(t(x)))
    except ValueError:
        naive = None
    gain = port.weight / torch.sqrt(t(x).var(0, unbiased=False) + 1e-3)
    return Shown(out(layer, x, training=True), naive, n((t(x) - t(x).mean(0)) * gain + port.bias))


def mask(flavour: str) -> Shown:
    x = (normal(4, 5, 3) + 1) * VALID[..., None]
    layer = keras_layer("BatchNormalization", x)
    port = of_torch(layer).train()
    naive = n(port(t(x).transpose(1, 2)).transpose(1, 2))
    counted = t(x)[t(VALID)]
    count = len(counted) + (1e-7 if flavour == "keras3" else 0.0)
    mean = counted.sum(0) / count
    root = torch.sqrt((counted - mean).square().sum(0) / count + 1e-3)
    faithful = (t(x) - mean) / root * port.weight + port.bias
    return Shown(out(layer, x, training=True, mask=VALID), naive, n(faithful))


def axis(flavour: str) -> Shown:
    x = normal(4, 5, 5)
    layer = keras_layer("BatchNormalization", x)
    port = of_torch(layer).eval()
    faithful = port(t(x).transpose(1, 2)).transpose(1, 2)
    return Shown(out(layer, x), n(port(t(x))), n(faithful))


def frozen(flavour: str) -> Shown:
    x = normal(8, 3)
    layer = keras_layer("BatchNormalization", x)
    layer.trainable = False
    port = of_torch(layer).train().requires_grad_(False)
    naive = n(port(t(x)))
    return Shown(out(layer, x, training=True), naive, n(of_torch(layer).eval()(t(x))))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "batch_norm.epsilon": epsilon,
    "batch_norm.momentum": momentum,
    "batch_norm.running_statistics": running_statistics,
    "batch_norm.running_variance": running_variance,
    "batch_norm.batch_of_one": batch_of_one,
    "batch_norm.mask": mask,
    "batch_norm.axis": axis,
    "batch_norm.frozen": frozen,
}
