"""Pairs of self-attention and cross-attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from parity_tests.pairs.zoo.building import KERAS_2, KERAS_3, Kind, Net


def attention(
    name: str,
    call: Callable[..., Any],
    run: Callable[..., Any],
    count: int = 1,
    size: int = 4,
    **given: Any,
) -> Kind:
    """Attention with two heads of this size; the query is the first input, the key the last."""
    shapes = ((2, 5, 2 * size), (2, 7, 2 * size))[:count]

    def build(keras: Any) -> Any:
        inputs = [keras.Input(shape[1:]) for shape in shapes]
        layer = keras.layers.MultiHeadAttention(2, size)
        return keras.Model(inputs, call(layer, *inputs))

    def net() -> Net:
        return Net(run, attend=nn.MultiheadAttention(2 * size, 2, **given))

    return Kind(name, shapes, build, net)


PLAIN = [
    attention(
        "attention.self",
        lambda layer, x: layer(x, x),
        lambda self, x: self.attend(x, x, x)[0],
        batch_first=True,
    ),
    attention(
        "attention.no_weights",
        lambda layer, x: layer(query=x, value=x),
        lambda self, x: self.attend(x, x, x, need_weights=False)[0],
        batch_first=True,
    ),
    attention(
        "attention.cross",
        lambda layer, x, y: layer(x, y),
        lambda self, x, y: self.attend(x, y, y)[0],
        2,
        batch_first=True,
    ),
    attention(
        "attention.three",
        lambda layer, x, y: layer(x, y, key=y),
        lambda self, x, y: self.attend(query=x, key=y, value=y)[0],
        2,
        batch_first=True,
    ),
    attention(
        "attention.steps_first",
        lambda layer, x: layer(x, x),
        lambda self, x: self.attend(*[x.transpose(0, 1)] * 3)[0].transpose(0, 1),
    ),
    attention(
        "attention.causal",
        lambda layer, x: layer(x, x, use_causal_mask=True),
        lambda self, x: self.attend(x, x, x, attn_mask=torch.ones(5, 5, dtype=torch.bool).triu(1))[
            0
        ],
        batch_first=True,
    ),
]
UNEVEN = [
    attention(
        "attention.scale",
        lambda layer, x: layer(x, x),
        lambda self, x: self.attend(x, x, x)[0],
        size=3,
        batch_first=True,
    ),
    attention(
        "attention.masked_scale",
        lambda layer, x: layer(x, x, use_causal_mask=True),
        lambda self, x: self.attend(x, x, x, attn_mask=torch.ones(5, 5, dtype=torch.bool).triu(1))[
            0
        ],
        size=3,
        batch_first=True,
    ),
]
"""Pairs whose head size has an irrational root, which Keras 3 rounds to float32."""
SCALED = [
    replace(kind, name=f"{kind.name}.{one[0]}", flavours=one, rounded=one == KERAS_3)
    for kind in UNEVEN
    for one in (KERAS_2, KERAS_3)
]
ATTENTION = [*PLAIN, *SCALED]
