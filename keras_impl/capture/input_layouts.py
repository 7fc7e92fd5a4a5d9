"""Which inputs of a Keras model are channels-first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_impl.capture.read.registry import kind_of
from keras_impl.capture.replay import Invocation
from parity.adapters.calls import Call
from parity.adapters.nesting import flat

REARRANGED = ("Flatten", "Reshape", "Permute")
"""Layers whose output has other axes than their input."""


def channels_first_inputs(
    calls: Sequence[Call], made: Sequence[Invocation], fed: Sequence[Any]
) -> frozenset[int]:
    """Places of the inputs that reach a channels-first layer as they are.

    Args:
        calls: of the model's layers.
        made: how each was called.
        fed: the model's inputs.
    """
    found: set[int] = set()
    seen: set[int] = set()
    ahead = [number for number, one in enumerate(made) if one.axis == 1]
    while ahead:
        number = ahead.pop()
        if number in seen:
            continue
        seen.add(number)
        values = flat(made[number].args)
        shapes = [tuple(values[place].shape) for place in made[number].places]
        for source, shape in zip(calls[number].sources, shapes, strict=False):
            if source is None or len(shape) < 4:
                continue
            if source < 0 and shape == tuple(fed[-1 - source].shape):
                found.add(-1 - source)
            elif source >= 0 and calls[source].kind not in REARRANGED:
                ahead.append(source)
    return frozenset(found)


def transposing(layer: Any) -> bool:
    """Whether a layer brings channels-first maps into channels-last order itself."""
    return kind_of(layer) == "Permute" or getattr(layer, "data_format", "") == "channels_first"
