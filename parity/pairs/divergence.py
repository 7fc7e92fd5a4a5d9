"""Where two models part: layers fed with the same numbers, and what stands between them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from parity.layers import merging
from parity.pairs.calls import Call


@dataclass(frozen=True)
class Divergence:
    """A tensor that differs by more than rounding explains.

    Attributes:
        rung: of the ladder.
        keras_layer: the layer's name in the Keras model; None for what only the other has.
        torch_module: the module's name in the PyTorch model; None likewise.
        tensor: which of its tensors: ``output``, ``input``, or a weight.
        observed: largest absolute difference, relative to the largest entry; inf where shapes
            differ, or which entries are finite.
        allowed: likewise, the most that would have passed.
    """

    rung: str
    keras_layer: str | None
    torch_module: str | None
    tensor: str
    observed: float
    allowed: float

    @property
    def name(self) -> str:
        """The layer's name for people."""
        return " / ".join(name for name in (self.keras_layer, self.torch_module) if name)


def distance(reference: np.ndarray, other: np.ndarray) -> float:
    """Largest absolute difference relative to the largest entry of either.

    Inf where shapes differ, where one has a number that is not, and for an infinity that the other
    does not have in the same place.
    """
    if reference.shape != other.shape:
        return float("inf")
    if reference.size == 0 or np.array_equal(reference, other):
        return 0.0
    sizes = largest(reference), largest(other)
    if not np.isfinite(sizes).all():
        return _beside_infinities(reference, other)
    parts = max(1, min(len(reference), reference.size // PART)) if reference.ndim else 1
    away = max(
        largest(np.subtract(own, theirs, dtype=np.float64))
        for own, theirs in zip(
            np.array_split(np.atleast_1d(reference), parts),
            np.array_split(np.atleast_1d(other), parts),
            strict=True,
        )
    )
    return away / max(sizes) if max(sizes) else 0.0


def _beside_infinities(reference: np.ndarray, other: np.ndarray) -> float:
    """Of what is finite where both are infinite alike, as scores that a mask keeps out are."""
    alike = np.isinf(reference) & (reference == other)
    if not (np.isfinite(reference) | alike).all() or not (np.isfinite(other) | alike).all():
        return float("inf")
    return distance(np.where(alike, 0.0, reference), np.where(alike, 0.0, other))


PART = 1_000_000
"""Entries that are subtracted at a time, at least a row: of large arrays no whole difference."""


def largest(values: np.ndarray) -> float:
    """Largest absolute entry, 0 where there is none; NaN where one is, without a copy."""
    return max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))


def as_keras(value: np.ndarray, like: np.ndarray, call: Call) -> np.ndarray:
    """A PyTorch output as Keras gives it: the last step of a sequence, without axes of one.

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


def inputs_apart(k: Call, t: Call) -> float:
    """How far the inputs of two calls stand apart; inf where there are not as many of either.

    Those of a sum and the like may come in any order.
    """
    if len(k.inputs) != len(t.inputs):
        return float("inf")
    turned = isinstance(k.config, COMMUTATIVE) and isinstance(t.config, COMMUTATIVE)
    orders = itertools.permutations(t.inputs) if turned and len(k.inputs) < 5 else [t.inputs]
    return min(
        max((distance(own, as_keras(other, own, k)) for own, other in pairs), default=0.0)
        for pairs in (tuple(zip(k.inputs, order, strict=True)) for order in orders)
    )


COMMUTATIVE = (merging.Add, merging.Multiply, merging.Average, merging.Maximum, merging.Minimum)
"""Layers whose inputs have no order."""


def as_torch(value: np.ndarray, like: np.ndarray, call: Call) -> np.ndarray | None:
    """A Keras output as PyTorch's call gives it: the way back; None where there is none.

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
