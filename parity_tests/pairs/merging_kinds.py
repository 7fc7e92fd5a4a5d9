"""Layers of several inputs, as pairs that users write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from parity_tests.pairs.building import (
    IMAGE,
    Kind,
    only,
)


def merged(kind: str, run: Callable[..., Any], shapes: Any = (IMAGE, IMAGE), **given: Any) -> Kind:
    """Two inputs, or more, made one."""

    def build(keras: Any) -> Any:
        inputs = [keras.Input(shape[1:]) for shape in shapes]
        return keras.Model(inputs, getattr(keras.layers, kind)(**given)(inputs))

    return Kind(f"{kind.lower()}{''.join(map(str, given.values()))}", shapes, build, only(run))


MERGES = [
    merged("Add", lambda a, b: a + b),
    merged("Subtract", lambda a, b: a - b),
    merged("Multiply", lambda a, b: a * b),
    merged("Average", lambda a, b: (a + b) / 2),
    merged("Maximum", torch.maximum),
    merged("Minimum", torch.minimum),
    merged("Concatenate", lambda a, b: torch.cat((a, b), 1), axis=-1),
    merged("Concatenate", lambda a, b: torch.cat((a, b), 2), axis=1),
]
