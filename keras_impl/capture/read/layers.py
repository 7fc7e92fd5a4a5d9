"""A Keras layer's configuration in the terms of :mod:`parity.reference.layers`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keras_impl.capture.read import activations
from keras_impl.capture.read.own_calls import overridden
from keras_impl.capture.read.registry import READERS, Config, flavour_of, kind_of, reader_of
from parity.reference.layers import activations as formulas
from parity.reference.layers import merging


def known(layer: Any) -> bool:
    """Whether the layer counts as one call, whatever layers it contains."""
    return kind_of(layer) in READERS


def operation(layer: Any) -> bool:
    """Whether it wraps a function of a functional model instead of being a layer."""
    kind = kind_of(layer)
    return kind.startswith("ops.") or kind in ("TFOpLambda", "SlicingOpLambda")


def activated(layer: Any) -> Any:
    """The layer that holds the activation: of TimeDistributed the wrapped one."""
    return layer.layer if kind_of(layer) == "TimeDistributed" else layer


def fused(layer: Any) -> bool:
    """Whether the layer has an activation, which counts as a call of its own."""
    owner = activated(layer)
    known = reader_of(owner).activation
    return known and activations.name_of(owner.activation) not in ("NoneType", "linear")


def moved_axis(layer: Any) -> int | None:
    """The channel axis of a normalization layer; None for layers without such a setting."""
    if not reader_of(layer).channel_axis:
        return None
    return layer.axis if isinstance(layer.axis, int) else int(layer.axis[0])


def config_of(layer: Any, rank: int, first: bool = False, own_call: bool = False) -> Config:
    """The layer's configuration; None for unknown kinds.

    Args:
        layer: a layer.
        rank: number of axes of its first input. Axes in the configuration are counted from the
            end, those of a concatenation from the start.
        first: whether the input is channels-first; the configuration is channels-last.
        own_call: whether Keras's own ``call`` is meant, where a subclass overrides it.
    """
    config: Any
    if operation(layer):
        config = activations.activation_of(layer.call, flavour_of(layer))
        return None if getattr(config, "activation", "") == "linear" else config
    unknown = overridden(layer) and not own_call
    config = None if unknown else reader_of(layer).config(layer)
    axis = getattr(config, "axis", None)
    if axis is None:
        return config
    if moved_axis(layer) is not None:
        return replace(config, axis=-1)
    several = (axis,) if isinstance(axis, int) else axis
    places = [one % rank for one in several]
    if first and rank > 2:
        places = [0 if one == 0 else rank - 1 if one == 1 else one - 1 for one in places]
    if isinstance(config, merging.Concatenate):
        return replace(config, axis=places[0])
    if isinstance(config, formulas.Softmax):
        if places[0] == rank - 1:
            return formulas.Activation(activation="softmax")
        return replace(config, axis=places[0] - rank)
    return replace(config, axis=tuple(sorted(one - rank for one in places)))
