"""Demonstrations of the order of deep channels, by id."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.nn import functional as F

from parity.reference.layers.depth_to_space import DepthToSpace, SpaceToDepth, reference
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import as_tf, first, last, normal

REFERENCES: list[tuple[Any, Any, dict[str, Any]]] = []
"""Keras has no such layer; the demonstrations compare with TensorFlow's functions."""


def depth_to_space(flavour: str) -> Shown:
    from keras_impl.framework import tf

    x = normal(2, 4, 4, 12)
    keras = np.asarray(tf.nn.depth_to_space(as_tf(x), 2))
    assert np.array_equal(reference(DepthToSpace(block_size=2), {}, x), keras)
    reordered = first(x).unflatten(1, (4, 3)).transpose(1, 2).flatten(1, 2)
    return Shown(keras, *(last(F.pixel_shuffle(one, 2)) for one in (first(x), reordered)))


def space_to_depth(flavour: str) -> Shown:
    from keras_impl.framework import tf

    x = normal(2, 4, 4, 3)
    keras = np.asarray(tf.nn.space_to_depth(as_tf(x), 2))
    assert np.array_equal(reference(SpaceToDepth(block_size=2), {}, x), keras)
    naive = F.pixel_unshuffle(first(x), 2)
    port = naive.unflatten(1, (3, 4)).transpose(1, 2).flatten(1, 2)
    return Shown(keras, *map(last, (naive, port)))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "depth_to_space.order": depth_to_space,
    "space_to_depth.order": space_to_depth,
}
