"""Registry of the readers: each is registered for its Keras classes where it is defined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

Config = Any
"""A dataclass of :mod:`parity.reference.layers`; None if it cannot express what the layer does."""

Read = TypeVar("Read", bound=Callable[[Any], Config])


@dataclass(frozen=True)
class Reader:
    """How a kind of Keras layer is read.

    Attributes:
        config: the layer's configuration; None if the reference cannot express it.
        activation: whether it may have an activation, which counts as a call of its own.
        recurrent: whether its inputs after the first are states and masks.
        masked: whether a mask changes what it computes.
        channel_axis: whether its ``axis`` is that of the channels, wherever that is.
        weight_name: canonical name of a weight, from the layer and the parts of the variable's
            path, such as ``("forward_lstm", "kernel")``.
        weight_value: canonical array of a weight, from the layer, its canonical name and its value.
    """

    config: Callable[[Any], Config]
    activation: bool = False
    recurrent: bool = False
    masked: bool = False
    channel_axis: bool = False
    weight_name: Callable[[Any, Sequence[str]], str] = lambda _, path: path[-1]
    weight_value: Callable[[Any, str, np.ndarray], np.ndarray] = lambda _, name, value: value


READERS: dict[str, Reader] = {}
"""Name of a Keras class to its reader."""

UNKNOWN = Reader(lambda _: None)


def reader(*kinds: str, **options: Any) -> Callable[[Read], Read]:
    """Register a function that reads the configuration of these Keras classes.

    Args:
        kinds: names of the classes.
        options: further fields of :class:`Reader`.
    """

    def register(config: Read) -> Read:
        READERS.update(dict.fromkeys(kinds, replace(UNKNOWN, config=config, **options)))
        return config

    return register


def reader_of(layer: Any) -> Reader:
    """The reader of a layer's class; :data:`UNKNOWN` if none is registered."""
    return READERS.get(kind_of(layer), UNKNOWN)


def kind_of(layer: Any) -> str:
    """Name of the first Keras class among the layer's base classes; empty if there is none."""
    for cls in type(layer).__mro__:
        if cls.__module__.startswith("keras.src.ops."):
            return f"ops.{cls.__name__}"
        if cls.__module__.split(".")[0] in ("keras", "tf_keras"):
            return "" if cls.__name__ in ("Layer", "Operation", "Model") else cls.__name__
    return ""


def flavour_of(thing: Any) -> str:
    """``tf_keras`` or ``keras3``, by the object's base classes; empty if it belongs to neither."""
    for cls in type(thing).__mro__:
        name = {"tf_keras": "tf_keras", "keras": "keras3"}.get(cls.__module__.split(".")[0])
        if name:
            return name
    return ""
