"""Why a layer differs: each setting in which its two configurations part is tried on a reference.

The NumPy reference of :mod:`parity.layers` must first give what Keras gives, from Keras's
configuration, and what PyTorch gives, from PyTorch's. Then a setting is a cause if PyTorch's
configuration, with that setting as Keras has it, gives what Keras gives. Nothing else is named.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.catalogue import CATALOGUE
from parity.constants import as_float32
from parity.layers import conv_transpose
from parity.layers.windows import same
from parity.pairs.calls import Arrays, Call
from parity.pairs.divergence import ALLOWED, distance

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Proof:
    """Distance between the frameworks before a change, and after it."""

    before: float
    after: float


@dataclass(frozen=True)
class Cause:
    """Why two layers differ.

    Attributes:
        id: of the catalogue where it has an entry, else kind and setting; ``unknown``.
        layer: its name in the Keras model, or in PyTorch's where only that has it.
        keras: Keras's value of the setting.
        torch: PyTorch's.
        proof: what giving PyTorch Keras's value changes; None for what no input has shown.
        rung: of the ladder, where it shows first.
    """

    id: str
    layer: str
    keras: Any
    torch: Any
    proof: Proof | None
    rung: str = "forward_eval"


@dataclass(frozen=True)
class Setting:
    """One thing in which two configurations part: a field, or a weight."""

    name: str
    keras: Any
    torch: Any
    weight: bool = False


def causes_of(
    k: Call, t: Call, fed: tuple[np.ndarray, ...], forced: np.ndarray, flavour: str
) -> list[Cause]:
    """What makes a PyTorch layer differ from Keras's when it is fed the same.

    Args:
        k: the Keras call.
        t: the PyTorch call.
        fed: what Keras's layer was fed, and PyTorch's now.
        forced: what PyTorch's gave for it.
        flavour: the Keras.

    Returns:
        The causes, each necessary and all together sufficient; one unknown where there is none;
        none where nothing is left once constants are rounded as Keras rounds them.
    """
    before = distance(k.output, forced)
    unknown = [Cause(UNKNOWN, k.name, k.layer, t.layer, Proof(before, before))]
    if k.config is None or t.config is None:
        return unknown
    torch_flavour = "keras3"  # whose hard sigmoid PyTorch has
    rounded = _rounded(t.config)
    from_keras = _reference(k.config, k.weights, fed, flavour)
    from_torch = _reference(t.config, t.weights, fed, torch_flavour)
    if from_keras is None or from_torch is None:
        return unknown
    if max(distance(k.output, from_keras), distance(forced, from_torch)) > ALLOWED.limit:
        return unknown
    settings = [*_settings(k, t, fed), *_weights(k.weights, t.weights)]
    if type(k.config) is not type(t.config):
        settings = [Setting("kind", k.config, t.config), *_weights(k.weights, t.weights)]

    def away(changed: Iterable[Setting], config: Any = t.config) -> float:
        weights = dict(t.weights)
        for one in changed:
            if one.weight and one.keras is None:
                weights.pop(one.name, None)
            elif one.weight:
                weights[one.name] = one.keras
            elif one.name == "kind":
                config = one.keras
            else:
                config = dataclasses.replace(config, **{one.name: one.keras})
        kind = type(config) is type(k.config)
        found = _reference(config, weights, fed, flavour if kind else torch_flavour)
        return float("inf") if found is None else distance(k.output, found)

    if rounded != t.config and away((), rounded) <= ALLOWED.limit:
        return []
    if not settings and away(()) <= ALLOWED.limit:  # only the flavour's own formula differs
        settings = []
        return [_cause(k, Setting("formula", flavour, "PyTorch"), before, away(()))]
    for count in range(1, len(settings) + 1):
        for chosen in itertools.combinations(settings, count):
            after = away(chosen)
            if after <= ALLOWED.limit:
                return [_cause(k, one, before, after) for one in chosen]
    return unknown


def latent(k: Call, t: Call, named: Iterable[str]) -> list[Cause]:
    """Settings in which the two differ and that this input has not shown."""
    if type(k.config) is not type(t.config) or k.config is None:
        return []
    found = []
    for one in _settings(k, t, k.inputs):
        cause = _cause(k, one, 0.0, 0.0)
        if cause.id not in named:
            entry = CATALOGUE.get(cause.id)
            rung = entry.rung if entry else RUNGS.get(one.name, "forward_eval")
            found.append(dataclasses.replace(cause, proof=None, rung=rung))
    return found


RUNGS = {"momentum": "step", "rate": "forward_train", "stddev": "forward_train"}
"""Settings without an entry of their own to the rung where they show."""


def _reference(
    config: Any, weights: Mapping[str, np.ndarray], fed: tuple[np.ndarray, ...], flavour: str
) -> np.ndarray | None:
    """What the layer's reference gives; None where it cannot take these weights or inputs."""
    function = importlib.import_module(type(config).__module__).reference
    given: dict[str, Any] = {}
    if "flavour" in inspect.signature(function).parameters:
        given["flavour"] = flavour
    x: Any = fed if type(config).__name__ in ("Add", "Multiply", "Concatenate") else fed[0]
    try:
        return np.asarray(function(config, weights, x, **given))
    except (KeyError, ValueError, IndexError, TypeError):
        return None


def _settings(k: Call, t: Call, fed: tuple[np.ndarray, ...]) -> list[Setting]:
    """Fields of the two configurations that differ, with what they come to for this input."""
    if type(k.config) is not type(t.config):
        return []
    found = []
    for field in dataclasses.fields(k.config):
        own, other = getattr(k.config, field.name), getattr(t.config, field.name)
        if field.name == "padding" and hasattr(k.config, "strides"):
            own, other = (_sides(k.config, one, fed[0]) for one in (own, other))
        if field.name in IGNORED or _alike(own, other):
            continue
        own, other = getattr(k.config, field.name), getattr(t.config, field.name)
        found.append(Setting(field.name, own, other))
    return found


IGNORED = {"return_sequences", "keepdims", "mask_zero"}
"""Fields that say what is handed on, not what is computed."""


def _alike(own: Any, other: Any) -> bool:
    """Equal, or the same constant once rounded as Keras rounds it."""
    if isinstance(own, float) and isinstance(other, float):
        return own == other or as_float32(own) == as_float32(other)
    return bool(own == other)


def _sides(config: Any, padding: Any, x: np.ndarray) -> Any:
    """What a padding comes to for an input of this size."""
    if isinstance(config, conv_transpose.ConvTranspose):
        return conv_transpose.sides(dataclasses.replace(config, padding=padding))
    sizes = getattr(config, "kernel_size", None) or config.pool_size
    steps = config.strides
    within = getattr(config, "dilation_rate", (1,) * len(sizes))
    if padding == "valid":
        return ((0, 0),) * len(sizes)
    if padding == "same":
        return tuple(same(*axis) for axis in zip(x.shape[1:-1], sizes, steps, within, strict=True))
    if padding == "causal":
        return (((sizes[0] - 1) * within[0], 0),)
    return tuple(padding)


def _rounded(config: Any) -> Any:
    """The configuration with its floats as Keras has them, rounded to float32."""
    floats = {
        field.name: as_float32(value)
        for field in dataclasses.fields(config)
        if isinstance(value := getattr(config, field.name), float)
    }
    return dataclasses.replace(config, **floats)


def _weights(own: Arrays, other: Arrays) -> list[Setting]:
    return [
        Setting(name, own.get(name), other.get(name), weight=True)
        for name in dict.fromkeys([*own, *other])
        if name not in own or name not in other or not np.array_equal(own[name], other[name])
    ]


def _cause(k: Call, one: Setting, before: float, after: float) -> Cause:
    own, other = one.keras, one.torch
    if one.weight:
        own, other = ("none" if value is None else "its own" for value in (own, other))
    elif one.name == "kind":
        own, other = _named(own), _named(other)
    return Cause(id_of(k, one), k.name, own, other, Proof(before, after))


def _named(config: Any) -> str:
    return str(getattr(config, "activation", None) or config.keras)


def id_of(call: Call, setting: Setting) -> str:
    """The catalogue's id, or one of the same form."""
    kind = type(call.config).__name__
    names = {setting.keras, setting.torch} if kind == "Activation" else set()
    if kind == "Activation":
        if names == {"gelu", "gelu_tanh"}:
            return "gelu.approximate"
        if setting.name == "formula":
            return f"{call.config.activation}.slope"
        return "activation.function"
    if setting.name == "padding" and setting.keras == "causal":
        return "conv.causal_padding"
    if setting.name == "kind":
        return f"{KINDS.get(kind, kind.lower())}.kind"
    own = f"{KINDS.get(kind, kind.lower())}.{setting.name}"
    return NAMES.get(own, own)


KINDS = {
    "BatchNorm": "batch_norm",
    "LayerNorm": "layer_norm",
    "GroupNorm": "group_norm",
    "ReLU": "leaky_relu",
    "DepthwiseConv": "conv",
    "SeparableConv": "conv",
    "ConvTranspose": "conv_transpose",
    "MaxPooling": "max_pool",
    "AveragePooling": "average_pool",
    "SimpleRNN": "simple_rnn",
    "SpatialDropout2D": "dropout",
    "ZeroPadding": "zero_padding",
}
"""Configuration to the catalogue's name of the kind, where that is not its own in small letters."""

NAMES = {
    "conv.padding": "conv.same_padding",
    "max_pool.padding": "max_pool.same_padding",
    "average_pool.padding": "average_pool.same_padding",
    "average_pool.count_include_pad": "average_pool.same_padding",
    "leaky_relu.negative_slope": "leaky_relu.slope",
    "zero_padding.padding": "zero_padding.order",
}
"""Kind and setting to the catalogue's id, where that has another name."""
