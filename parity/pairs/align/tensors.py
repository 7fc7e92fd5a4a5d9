"""Tensors of one framework in the shape of the other's, and how much two layers' inputs differ."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from parity.adapters.calls import Call
from parity.numerics.distance import relative_error
from parity.reference.layers import merging


def as_keras(value: np.ndarray, like: np.ndarray, call: Call) -> np.ndarray:
    """A PyTorch output in the shape of Keras's: the last step of a sequence, no axes of size 1.

    Args:
        value: canonical output of the PyTorch call.
        like: of the Keras call.
        call: the Keras call.
    """
    layer = getattr(call.config, "layer", call.config)
    if getattr(layer, "return_sequences", True) is False and value.ndim == like.ndim + 1:
        return value[:, -1]
    if value.size == like.size and [n for n in value.shape if n != 1] == [
        n for n in like.shape if n != 1
    ]:
        return value.reshape(like.shape)
    return value


def input_difference(k: Call, t: Call) -> float:
    """Relative difference of the inputs of two calls; inf where their numbers differ.

    The inputs of a sum and the like may come in any order.
    """
    return min((_largest(pairs) for pairs in _input_pairs(k, t)), default=float("inf"))


def different_inputs(k: Call, t: Call) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The inputs of two calls that differ most; None where their numbers differ."""
    pairs = min(_input_pairs(k, t), key=_largest, default=())
    return max(pairs, key=lambda pair: relative_error(*pair), default=(None, None))


def _input_pairs(k: Call, t: Call) -> list[tuple[tuple[np.ndarray, np.ndarray], ...]]:
    """Keras's inputs with PyTorch's, in each order that a layer allows; none for other numbers."""
    if len(k.inputs) != len(t.inputs):
        return []
    any_order = isinstance(k.config, COMMUTATIVE) and isinstance(t.config, COMMUTATIVE)
    orders = itertools.permutations(t.inputs) if any_order and len(k.inputs) < 5 else [t.inputs]
    return [
        tuple((one, as_keras(other, one, k)) for one, other in zip(k.inputs, order, strict=True))
        for order in orders
    ]


def _largest(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    return max((relative_error(*pair) for pair in pairs), default=0.0)


COMMUTATIVE = (merging.Add, merging.Multiply, merging.Average, merging.Maximum, merging.Minimum)
"""Layers whose inputs have no order."""


def as_torch(value: np.ndarray, like: np.ndarray, call: Call) -> np.ndarray | None:
    """A Keras output in the shape of PyTorch's; None where that is impossible.

    Args:
        value: of the Keras call.
        like: canonical output of the PyTorch call.
        call: the Keras call.
    """
    if value.size == like.size:
        return value.reshape(like.shape)
    if as_keras(like, value, call).shape == value.shape and like.ndim == value.ndim + 1:
        found = like.copy()
        found[:, -1] = value
        return found
    return None


def mapped(sources: frozenset[int | None], matched: Mapping[int, int]) -> frozenset[int | None]:
    """Numbers of Keras calls as their partners'; model inputs as they are."""
    return frozenset(one if one is None or one < 0 else matched.get(one) for one in sources)
