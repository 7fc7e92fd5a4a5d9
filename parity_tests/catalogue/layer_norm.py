"""Demonstrations of the differences in layer and group normalisation, by id."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from parity.reference.layers.layer_norm import GroupNorm, LayerNorm
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import (
    first,
    keras_layer,
    last,
    load,
    n,
    normal,
    out,
    t,
    weights_of,
)

IMAGES = normal(2, 4, 4, 4)
REFERENCES: list[tuple[Any, Any, dict[str, Any]]] = [
    (LayerNorm(axis=-1, epsilon=1e-3, center=True, scale=True), normal(6, 5), {}),
    (LayerNorm(axis=-1, epsilon=1e-5, center=False, scale=True), IMAGES, {}),
    (LayerNorm(axis=1, epsilon=0.1, center=True, scale=False), normal(3, 5, 4), {}),
    (LayerNorm(axis=(1, 2), epsilon=0.1, center=True, scale=True), normal(3, 5, 4), {}),
    (GroupNorm(groups=2, epsilon=1e-3, center=True, scale=True), IMAGES, {}),
    (GroupNorm(groups=1, epsilon=0.1, center=False, scale=True), normal(3, 5, 6), {}),
    (GroupNorm(groups=6, epsilon=0.1, center=True, scale=False), normal(3, 5, 6), {}),
]


def epsilon(flavour: str) -> Shown:
    x = normal(6, 5)
    layer = keras_layer("LayerNormalization", x)
    gamma, beta = map(t, weights_of(layer).values())
    return Shown(
        out(layer, x), *(n(F.layer_norm(t(x), (5,), gamma, beta, e)) for e in (1e-5, 1e-3))
    )


def axes(flavour: str) -> Shown:
    x = normal(2, 4, 4, 3)
    layer = keras_layer("LayerNormalization", x, {"gamma": 1.0, "beta": 0.0})
    naive = F.layer_norm(first(x), (3, 4, 4), eps=1e-3)
    return Shown(out(layer, x), last(naive), n(F.layer_norm(t(x), (3,), eps=1e-3)))


def group_epsilon(flavour: str) -> Shown:
    layer = keras_layer("GroupNormalization", IMAGES, groups=2)
    gamma, beta = map(t, weights_of(layer).values())
    ports = [F.group_norm(first(IMAGES), 2, gamma, beta, e) for e in (1e-5, 1e-3)]
    return Shown(out(layer, IMAGES), *map(last, ports))


def running_statistics(flavour: str) -> Shown:
    return _instance_norm({"affine": True, "track_running_stats": True})


def affine(flavour: str) -> Shown:
    return _instance_norm({})


def _instance_norm(naive: dict[str, bool]) -> Shown:
    layer = keras_layer("GroupNormalization", IMAGES, groups=-1)
    gamma, beta = weights_of(layer).values()
    ports = []
    for options in (naive, {"affine": True}):
        module = torch.nn.InstanceNorm2d(4, eps=1e-3, **options).eval()
        held = {"weight": gamma, "bias": beta} if module.affine else {}
        ports.append(load(module, **held)(first(IMAGES)))
    return Shown(out(layer, IMAGES), *map(last, ports))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "layer_norm.epsilon": epsilon,
    "layer_norm.axes": axes,
    "group_norm.epsilon": group_epsilon,
    "group_norm.running_statistics": running_statistics,
    "group_norm.gamma": affine,
}
