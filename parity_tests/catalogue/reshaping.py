"""Demonstrations of the differences between Flatten, Reshape and Permute, by id."""

from __future__ import annotations

from typing import Any

from torch.nn import functional as F

from parity.reference.layers.reshaping import Flatten, Permute, Reshape
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import (
    first,
    keras_layer,
    last,
    n,
    normal,
    out,
    t,
    weights_of,
)

MAPS = normal(2, 4, 4, 3)
REFERENCES: list[tuple[Any, Any, dict[str, Any]]] = [
    (Flatten(), MAPS, {}),
    (Flatten(), normal(3, 5), {}),
    (Reshape(target_shape=(4, 4, 3)), normal(2, 48), {}),
    (Reshape(target_shape=(-1, 6)), MAPS, {}),
    (Permute(dims=(2, 3, 1)), MAPS, {}),
]


def flatten(flavour: str) -> Shown:
    layer = keras_layer("Dense", normal(2, 48), units=4)
    kernel, bias = map(t, weights_of(layer).values())
    orders = first(MAPS), first(MAPS).permute(0, 2, 3, 1)
    ports = [n(F.linear(x.flatten(1), kernel.T, bias)) for x in orders]
    return Shown(out(layer, out(keras_layer("Flatten", MAPS), MAPS)), *ports)


def reshape(flavour: str) -> Shown:
    x = normal(2, 48)
    layer = keras_layer("Reshape", x, target_shape=(4, 4, 3))
    faithful = t(x).view(2, 4, 4, 3).permute(0, 3, 1, 2)
    return Shown(out(layer, x), last(t(x).view(2, 3, 4, 4)), last(faithful))


def permute(flavour: str) -> Shown:
    dims = (3, 1, 2)
    try:
        naive = n(t(MAPS).permute(dims))
    except RuntimeError:
        naive = None
    layer = keras_layer("Permute", MAPS, dims=dims)
    return Shown(out(layer, MAPS), naive, n(t(MAPS).permute(0, *dims)))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "flatten.order": flatten,
    "reshape.order": reshape,
    "permute.dims": permute,
}
