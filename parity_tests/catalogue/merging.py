"""Demonstrations of the differences between layers with several inputs, by id."""

from __future__ import annotations

from typing import Any

import torch

from parity.reference.layers.merging import Add, Concatenate, Multiply
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import first, keras_layer, last, n, normal, out, t

IMAGES = [normal(2, 4, 4, 3), normal(2, 4, 4, 3, seed=1)]
UNEQUAL = [normal(5, 3), normal(5, 5, 3, seed=1)]
REFERENCES: list[tuple[Any, Any, dict[str, Any]]] = [
    (Add(), [*IMAGES, IMAGES[0] ** 2], {}),
    (Add(), UNEQUAL, {}),
    (Multiply(), IMAGES, {}),
    (Multiply(), UNEQUAL[::-1], {}),
    (Concatenate(axis=-1), IMAGES, {}),
    (Concatenate(axis=1), IMAGES, {}),
]


def axis(flavour: str) -> Shown:
    ports = [torch.cat([first(x) for x in IMAGES], dim) for dim in (-1, 1)]
    return Shown(out(keras_layer("Concatenate", IMAGES), IMAGES), *map(last, ports))


def broadcast(flavour: str) -> Shown:
    a, b = map(t, UNEQUAL)
    return Shown(out(keras_layer("Add", UNEQUAL), UNEQUAL), n(a + b), n(a[:, None] + b))


DEMONSTRATIONS: dict[str, Demonstration] = {"concatenate.axis": axis, "add.broadcast": broadcast}
