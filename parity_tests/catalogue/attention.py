"""Demonstrations of the differences in multi-head attention, by id."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from parity.constants import as_float32
from parity.reference.layers.attention import MultiHeadAttention
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import keras_layer, load, n, normal, out, t, weights_of

X = normal(2, 5, 8)
BAND = np.abs(np.arange(5)[:, None] - np.arange(5)) <= 1
MASK = np.stack((BAND, BAND))
SOME = np.random.default_rng(3).random((2, 5, 7)) < 0.7
SOME[..., 0] = True

REFERENCES: list[tuple[MultiHeadAttention, Any, dict[str, Any]]] = [
    (MultiHeadAttention(num_heads=2, key_dim=5, value_dim=3, use_bias=bias), (X, value), mask)
    for bias in (True, False)
    for value, mask in ((X, {}), (X, {"attention_mask": MASK}), (normal(2, 7, 8), {}))
]
REFERENCES.append((REFERENCES[0][0], (X, normal(2, 7, 8)), {"attention_mask": SOME}))
NAMES = ("query", "key", "value")


def port_of(layer: Any, transposed: bool = True) -> Any:
    """``nn.MultiheadAttention`` with a Keras layer's weights."""
    w = weights_of(layer)
    square = [w[f"{name}/kernel"].reshape(8, 8) for name in (*NAMES, "attention_output")]
    turned = [one.T if transposed else one for one in square]
    return load(
        torch.nn.MultiheadAttention(8, 2, batch_first=True),
        in_proj_weight=np.concatenate(turned[:3]),
        in_proj_bias=np.concatenate([w[f"{name}/bias"].reshape(8) for name in NAMES]),
        **{"out_proj.weight": turned[3], "out_proj.bias": w["attention_output/bias"]},
    )


def packed_projection(flavour: str) -> Shown:
    layer = keras_layer("MultiHeadAttention", (X, X), num_heads=2, key_dim=4)
    x = t(X)
    ports = (port_of(layer, transposed)(x, x, x)[0] for transposed in (False, True))
    return Shown(out(layer, (X, X)), *map(n, ports))


def scaled(key_dim: int, scales: tuple[float, float]) -> Shown:
    """Keras's layer, and its port with both scales."""
    layer = keras_layer("MultiHeadAttention", (X, X), num_heads=2, key_dim=key_dim)
    w = {name: t(value) for name, value in weights_of(layer).items()}
    q, k, v = (
        torch.einsum("nti,ihk->nhtk", t(X), w[f"{name}/kernel"]) + w[f"{name}/bias"][:, None]
        for name in NAMES
    )
    found = []
    for scale in scales:
        heads = F.scaled_dot_product_attention(q, k, v, scale=scale)
        mixed = torch.einsum("nhtk,hko->nto", heads, w["attention_output/kernel"])
        found.append(n(mixed + w["attention_output/bias"]))
    return Shown(out(layer, (X, X)), *found)


def key_dim(flavour: str) -> Shown:
    return scaled(16, (1 / 2, 1 / 4))


def float32_scale(flavour: str) -> Shown:
    return scaled(3, (1 / math.sqrt(3), as_float32(1 / math.sqrt(3))))


def mask_polarity(flavour: str) -> Shown:
    layer = keras_layer("MultiHeadAttention", (X, X), num_heads=2, key_dim=4)
    x, port = t(X), port_of(layer)
    ports = (port(x, x, x, attn_mask=mask)[0] for mask in (t(BAND), ~t(BAND)))
    return Shown(out(layer, (X, X), attention_mask=MASK), *map(n, ports))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "attention.packed_projection": packed_projection,
    "attention.key_dim": key_dim,
    "attention.float32_scale": float32_scale,
    "attention.mask_polarity": mask_polarity,
}
