"""Causes where Keras has a layer that the PyTorch model computes without one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from parity.adapters.calls import Call
from parity.constants import as_float32
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs.align.tensors import as_keras
from parity.pairs.causes.layer import reference
from parity.reference.layers.kinds import KINDS, fit
from parity.verdict.result import Cause, Proof


def causes_of(
    missing: Sequence[Call], computed: Sequence[Call], before: float, flavour: str
) -> list[Cause]:
    """The settings in which PyTorch's code differs from Keras's layer.

    The layer's settings are fitted to what PyTorch computes; the reference must then give it, and
    with Keras's settings Keras's output.

    Args:
        missing: Keras's layers without a partner, between two that have one.
        computed: the two calls that follow, Keras's and PyTorch's, the latter from Keras's values.
        before: difference of their inputs.
        flavour: the Keras version.
    """
    keras, torch = computed
    call = missing[-1]
    if len(call.inputs) != 1 or len(torch.inputs) != 1:
        return []
    x, actual = call.inputs[0], as_keras(torch.inputs[0], call.output, call)
    if actual.shape != call.output.shape:
        return []
    config = fit(call.config, x, actual)
    if config is None:
        return []
    own = min(_error(one, call, call.output, flavour) for one in (call.config, _rounded(call)))
    after = max(own, _error(config, call, actual, flavour))
    if after > keras.allowed:
        return []
    kind = KINDS[type(config)]
    settings = [
        (one.name, getattr(call.config, one.name), getattr(config, one.name))
        for one in dataclasses.fields(config)
    ]
    return [
        Cause(kind.id_of(name), call.name, _text(own), _text(other), Proof(before, after))
        for name, own, other in settings
        if not _same(own, other)
    ]


def _error(config: Any, call: Call, expected: np.ndarray, flavour: str) -> float:
    found = reference(config, call.weights, call.inputs, flavour, {})
    return float("inf") if found is None else relative_error(expected, found)


def _rounded(call: Call) -> Any:
    """The configuration with its numbers rounded to float32, as Keras may have them."""
    fields = [one.name for one in dataclasses.fields(call.config)]
    values = {name: _float32(getattr(call.config, name)) for name in fields}
    return dataclasses.replace(call.config, **values)


def _float32(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_float32, value))
    return as_float32(value) if isinstance(value, float) else value


def _same(own: Any, other: Any) -> bool:
    """Whether two settings are equal, numbers up to rounding to float32."""
    if isinstance(own, (float, tuple)) and np.shape(own) == np.shape(other):
        return relative_error(np.asarray(own), np.asarray(other)) <= tolerance.SAME_CONSTANT
    return bool(own == other)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_text, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
