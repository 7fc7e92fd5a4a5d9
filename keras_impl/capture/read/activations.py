"""Readers of activations; functions are identified by what they compute."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from keras_impl.capture.read.registry import Config, flavour_of, reader
from parity.constants import as_float32
from parity.numerics.tolerance import FLOAT64
from parity.reference.layers import activations

PROBE = np.linspace(-7.0, 7.0, 57).reshape(3, 19)
"""Inputs at which functions are compared, row by row: softmax runs along the last axis."""

SLOPES = (0.2, 0.3, 0.01, 0.1, 0.05, 0.25)
"""Of leaky units, tried before one that is read off."""


def name_of(function: Any) -> str | None:
    """An activation's name in Keras's terms, by its own."""
    name = getattr(function, "__name__", type(function).__name__)
    return {"silu": "swish", "identity": "linear", "hard_silu": "hard_swish"}.get(name, name)


def activation_of(function: Any, flavour: str) -> Any:
    """A function's configuration, as a layer; None where it is none of those known."""
    if function is None:
        return activations.Activation(activation="linear")
    try:
        return _found(function, flavour)
    except TypeError:  # cannot be hashed
        return _found.__wrapped__(function, flavour)


@functools.lru_cache(maxsize=256)
def _found(function: Any, flavour: str) -> Any:
    try:
        seen = _values(function)
    except Exception:  # a custom function may fail in any way
        return None
    if seen.shape != PROBE.shape:
        return None
    for config in _candidates(function, seen):
        slope = as_float32(getattr(config, "negative_slope", 0.0))
        given = replace(config, negative_slope=slope) if slope else config
        own = activations.reference(given, {}, PROBE, flavour)
        if np.allclose(own, seen, rtol=0.0, atol=FLOAT64["forward_eval"].limit * 10.0):
            return config
    return None


def _values(function: Any) -> np.ndarray:
    import tensorflow as tf

    return np.asarray(function(tf.constant(PROBE)).numpy())


def _candidates(function: Any, seen: np.ndarray) -> Iterator[Any]:
    names = [name for name in activations.FORMULAS if name is not None]
    names += ["hard_sigmoid", "hard_swish"]
    likely = name_of(function)
    for name in sorted(names, key=lambda one: one != likely):
        yield activations.Activation(activation=name)
    yield activations.ReLU(max_value=6.0, negative_slope=0.0)
    slope = float(seen.flat[0] / PROBE.flat[0])
    if 0.0 < slope < 1.0:
        known = [one for one in SLOPES if as_float32(one) == as_float32(slope)]
        yield activations.ReLU(max_value=None, negative_slope=known[0] if known else slope)
    alpha = float(seen.flat[0] / np.expm1(PROBE.flat[0]))
    if alpha > 0.0:
        yield activations.ELU(alpha=round(alpha, 12))


@reader("Activation")
def _activation(layer: Any) -> Config:
    return activation_of(layer.activation, flavour_of(layer))


@reader("PReLU")
def _prelu(layer: Any) -> Config:
    return activations.PReLU()


@reader("ReLU")
def _relu(layer: Any) -> Config:
    """None if it has a threshold."""
    if getattr(layer, "threshold", 0.0):
        return None
    limit, slope = layer.max_value, float(layer.negative_slope)
    if limit is None and not slope:
        return activations.Activation(activation="relu")
    limit = None if limit is None else float(limit)
    return activations.ReLU(max_value=limit, negative_slope=slope)


@reader("LeakyReLU")
def _leaky(layer: Any) -> Config:
    slope = layer.alpha if hasattr(layer, "alpha") else layer.negative_slope
    return activations.ReLU(max_value=None, negative_slope=shortest(float(slope)))


def shortest(slope: float) -> float:
    """The number as it was written, where float32 has made it longer."""
    short = float(f"{slope:.7g}")
    return short if as_float32(short) == as_float32(slope) else slope


@reader("ELU")
def _elu(layer: Any) -> Config:
    if layer.alpha == 1.0:
        return activations.Activation(activation="elu")
    return activations.ELU(alpha=float(layer.alpha))


@reader("Softmax")
def _softmax(layer: Any) -> Config:
    """The axis is the layer's own; it is normalized once the rank is known."""
    axis = layer.axis if isinstance(layer.axis, int) else tuple(layer.axis)
    return activations.Softmax(axis=axis) if isinstance(axis, int) else None
