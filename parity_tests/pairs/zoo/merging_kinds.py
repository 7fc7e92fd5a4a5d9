"""Pairs of layers with several inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from parity_tests.pairs.zoo.building import IMAGE, ROWS, Kind, only


def merged(kind: str, run: Callable[..., Any], shapes: Any = (IMAGE, IMAGE), **given: Any) -> Kind:
    """A pair of layers that merge two or more inputs."""

    def build(keras: Any) -> Any:
        inputs = [keras.Input(shape[1:]) for shape in shapes]
        return keras.Model(inputs, getattr(keras.layers, kind)(**given)(inputs))

    own = ".".join([kind.lower(), *map(str, given.values()), str(len(shapes))])
    return Kind(own, shapes, build, only(run))


TWO, THREE = (IMAGE,) * 2, (IMAGE,) * 3
MERGES = [
    merged("Add", lambda a, b: a + b),
    merged("Subtract", lambda a, b: a - b),
    merged("Multiply", lambda a, b: a * b),
    merged("Average", lambda a, b: (a + b) / 2),
    merged("Maximum", torch.maximum),
    merged("Minimum", torch.minimum),
    merged("Concatenate", lambda a, b: torch.cat((a, b), 1), axis=-1),
    merged("Concatenate", lambda a, b: torch.cat((a, b), 2), axis=1),
    merged("Add", lambda a, b, c: a + b + c, THREE),
    merged("Add", lambda a, b, c: c + (a + b), THREE, name="turned"),
    merged("Add", lambda a, b, c: torch.stack((a, b, c)).sum(0), THREE, name="stacked"),
    merged("Add", lambda a, b, c: sum((a, b, c)), THREE, name="of_python"),
    merged("Multiply", lambda a, b, c: a * b * c, THREE),
    merged("Average", lambda a, b, c: (a + b + c) / 3, THREE),
    merged("Average", lambda a, b, c: torch.stack([a, b, c]).mean(0), THREE, name="stacked"),
    merged(
        "Average", lambda a, b: torch.mean(torch.stack([a, b], 1), 1), TWO, name="stacked_within"
    ),
    merged("Average", lambda a, b: 0.5 * (a + b), TWO, name="half"),
    merged("Maximum", lambda a, b, c: torch.maximum(torch.maximum(a, b), c), THREE),
    merged("Maximum", lambda a, b, c: torch.stack((a, b, c)).amax(0), THREE, name="stacked"),
    merged("Maximum", lambda a, b: torch.stack((a, b)).max(0)[0], name="stacked_max"),
    merged("Maximum", lambda a, b: torch.max(a, b), name="of_two"),
    merged("Minimum", lambda a, b: torch.min(a, b), name="of_two"),
    merged("Minimum", lambda a, b, c: torch.minimum(torch.minimum(a, b), c), THREE),
    merged("Subtract", lambda a, b: torch.sub(a, b), name="function"),
    merged("Concatenate", lambda a, b, c: torch.cat((a, b, c), 1), THREE),
    merged(
        "Concatenate", lambda a, b, c: torch.cat((torch.cat((a, b), 1), c), 1), THREE, name="twice"
    ),
    merged("Concatenate", lambda a, b: torch.hstack((a, b)), (ROWS, ROWS), name="rows"),
]
