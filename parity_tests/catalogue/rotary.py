"""Demonstration of the two ways to pair the features of a rotary embedding."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import as_tf, n, normal, t

REFERENCES: list[tuple[Any, Any, dict[str, Any]]] = []
"""Keras has no such layer."""


def angles(positions: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of each position's angles."""
    rates = 10000.0 ** -(np.arange(0, width, 2) / width)
    turns = np.arange(positions)[:, None] * rates
    return np.cos(turns), np.sin(turns)


def pairs(flavour: str) -> Shown:
    from keras_impl.framework import tf

    x = normal(2, 5, 6)
    cos, sin = angles(5, 6)
    a, b = tf.split(as_tf(x), 2, -1)
    keras = np.asarray(tf.concat([a * cos - b * sin, b * cos + a * sin], -1))
    c, s = t(cos), t(sin)
    even, odd = t(x)[..., ::2], t(x)[..., 1::2]
    naive = torch.stack([even * c - odd * s, even * s + odd * c], -1).flatten(-2)
    low, high = t(x).chunk(2, -1)
    port = torch.cat([low * c - high * s, high * c + low * s], -1)
    return Shown(keras, n(naive), n(port))


DEMONSTRATIONS: dict[str, Demonstration] = {"rotary.pairs": pairs}
