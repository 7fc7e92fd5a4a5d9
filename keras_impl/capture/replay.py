"""Replay of a Keras model's calls with other inputs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_impl.capture.nesting import packed
from keras_impl.capture.read import layers
from keras_impl.capture.read.arguments import masked
from parity.adapters.nesting import flat


@dataclass
class Invocation:
    """What is needed to replay a call.

    Attributes:
        target: the layer or function.
        args: what it was given.
        kwargs: likewise.
        places: of the inputs among the flattened arguments.
        axis: of the channels, where they are not the last.
        weights: canonical name to variable.
        own_call: Keras's own ``call`` of a layer that overrides it, if that was called.
    """

    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    places: tuple[int, ...]
    axis: int | None = None
    weights: dict[str, Any] = field(default_factory=dict)
    own_call: Callable[..., Any] | None = None

    def canonical(self, tensor: Any) -> np.ndarray:
        """The tensor's values, channels last: a view, for nothing writes into it."""
        value = np.asarray(tensor)
        moves = self.axis is not None and value.ndim > 2
        return np.moveaxis(value, self.axis, -1) if moves else value  # type: ignore[arg-type]

    def own(self, value: np.ndarray, rank: int) -> np.ndarray:
        """The way back."""
        moves = self.axis is not None and rank > 2
        return np.moveaxis(value, -1, self.axis) if moves else value  # type: ignore[arg-type]


@contextlib.contextmanager
def watched_activation(layer: Any) -> Iterator[tuple[list[Any], Any]]:
    """A layer with its activation watched: what goes into it, and the function."""
    owner = layers.activated(layer)
    function, between = owner.activation, []

    def watched(x: Any) -> Any:
        between.append(x)
        return function(x)

    owner.activation = watched
    try:
        yield between, function
    finally:
        owner.activation = function


def last(between: Sequence[Any], like: Any) -> Any:
    """What went into an activation, in the shape of the layer's output."""
    import tensorflow as tf

    if len(between) == 1 and between[0].shape == like.shape:
        return between[0]
    if len(between) == 1:
        return tf.reshape(between[0], like.shape)
    return tf.stack(between[-like.shape[1] :], 1)  # of TimeDistributed, step by step


def replay(made: Invocation, inputs: Sequence[Any], as_tensor: Any = None) -> np.ndarray:
    """The output of a call for other inputs, both canonical."""
    import tensorflow as tf

    values = flat(made.args)
    for place, value in zip(made.places, inputs, strict=True):
        old = values[place]
        new = tf.constant(made.own(np.asarray(value), len(old.shape)), old.dtype)
        new = masked(new, old)
        values[place] = new
    args = packed(made.args, iter(values))
    function = made.own_call or made.target
    if layers.fused(made.target):
        with watched_activation(made.target) as (between, _):
            found = function(*args, **made.kwargs)
        found = last(between, found)
    else:
        found = function(*args, **made.kwargs)
    first = next(one for one in flat((found,)) if hasattr(one, "numpy"))
    return made.canonical(first)
