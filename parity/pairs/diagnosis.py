"""Why a layer differs: each setting in which its two configurations part is tried on a reference.

The NumPy reference of :mod:`parity.layers` must first give what Keras gives, from Keras's
configuration, and what PyTorch gives, from PyTorch's. Then a setting is a cause if PyTorch's
configuration, with that setting as Keras has it, gives what Keras gives. Nothing else is named.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from parity.catalogue import CATALOGUE
from parity.constants import as_float32
from parity.layers import conv_transpose
from parity.layers.activations import ROUNDED
from parity.layers.computed import computed
from parity.layers.windows import same
from parity.pairs import mistakes
from parity.pairs.calls import Call
from parity.pairs.divergence import as_keras, distance

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
    k: Call,
    t: Call,
    fed: tuple[np.ndarray, ...],
    forced: np.ndarray,
    flavour: str,
    flattened: tuple[int, ...] | None = None,
) -> list[Cause]:
    """What makes a PyTorch layer differ from Keras's when it is fed the same.

    Args:
        k: the Keras call.
        t: the PyTorch call.
        fed: what Keras's layer was fed, and PyTorch's now.
        forced: what PyTorch's gave for it.
        flavour: the Keras.
        flattened: shape (H, W, C) of the map that was flattened into the layer's input, if any.

    Returns:
        The causes, each necessary and all together sufficient; one unknown where there is none;
        none where nothing is left once constants are rounded as Keras rounds them.
    """
    before = distance(k.output, forced)
    unknown = [Cause(UNKNOWN, k.name, k.layer, t.layer, Proof(before, before))]
    if k.config is None or t.config is None:
        return unknown
    worst = _worst(fed, k.output, forced)
    fed, wanted, forced = tuple(one[worst] for one in fed), k.output[worst], forced[worst]
    replay = _Replay(k, t, fed, wanted, flavour, *(_of(worst, one.options) for one in (k, t)))
    if not replay.explains(forced):
        return unknown
    if replay.rounded_alone():
        return []
    weights = _weights(k.weights, t.weights)
    same = type(k.config) is type(t.config)
    settings = _settings(k, t, fed) if same else [Setting("kind", k.config, t.config)]
    if not settings:  # nothing else could have brought another shape
        weights += _shapes(k.weights, t.weights)
    settings += weights
    own, other = (one.options.get("mask") for one in (k, t))
    if own is not None and (other is None or not np.array_equal(own, other)):
        settings.append(Setting("mask", own, other))
    if not settings and hasattr(k.config, "activation") and replay.away(()) <= k.allowed:
        if k.config.activation in ROUNDED:
            return []
        formula = Setting("formula", flavour, "PyTorch")
        return [_cause(k, t, formula, before, replay.away(()), flattened)]
    for count in range(1, len(settings) + 1):
        for chosen in itertools.combinations(settings, count):
            after = replay.away(chosen)
            if after <= k.allowed:
                return [_cause(k, t, one, before, after, flattened) for one in chosen]
    return unknown


PYTORCH = "torch"
"""The flavour of PyTorch's own formulas, which differ for some activations."""


@dataclass(frozen=True)
class _Replay:
    """References of both layers for one input, and what a change of PyTorch's would give."""

    k: Call
    t: Call
    fed: tuple[np.ndarray, ...]
    wanted: np.ndarray
    flavour: str
    options: Mapping[str, Any]
    others: Mapping[str, Any]

    def explains(self, forced: np.ndarray) -> bool:
        """Whether the references give what the frameworks gave."""
        own = (
            self._away(config, self.k.weights, self.options) for config in _either(self.k.config)
        )
        other = reference(self.t.config, self.t.weights, self.fed, PYTORCH, self.others)
        if other is None or min(own) > self.k.allowed:
            return False
        return distance(forced, as_keras(other, self.wanted, self.k)) <= self.k.allowed

    def rounded_alone(self) -> bool:
        """Whether PyTorch's constants, rounded as Keras rounds them, give what Keras gives."""
        rounded = [*_either(self.t.config), _with_constants(self.t.config, self.k.config)]
        return any(
            self._away(config, self.t.weights, self.others) <= self.k.allowed
            for config in rounded
            if config != self.t.config
        )

    def away(self, changed: Iterable[Setting]) -> float:
        """How far PyTorch's layer stands off once these settings are Keras's.

        With a field come Keras's weights of another shape, which belong to it.
        """
        config, weights = self.t.config, dict(self.t.weights)
        options = self.others
        for one in changed:
            if one.name == "mask":
                options = self.options
                continue
            if one.weight and one.keras is None:
                del weights[one.name]
            elif one.weight:
                weights[one.name] = one.keras
            if one.weight:
                continue
            config = (
                one.keras
                if one.name == "kind"
                else dataclasses.replace(config, **{one.name: one.keras})
            )
            weights |= {shape.name: shape.keras for shape in _shapes(self.k.weights, weights)}
            if one.name == "kind":
                weights = {**self.k.weights, **weights}
        return min(self._away(one, weights, options) for one in _either(config))

    def _away(
        self, config: Any, weights: Mapping[str, np.ndarray], options: Mapping[str, Any]
    ) -> float:
        own = type(config) is type(self.k.config)
        found = reference(config, weights, self.fed, self.flavour if own else PYTORCH, options)
        if found is None:
            return float("inf")
        return distance(self.wanted, as_keras(found, self.wanted, self.k))


def _worst(fed: tuple[np.ndarray, ...], wanted: np.ndarray, forced: np.ndarray) -> slice:
    """The example that differs most, for references are slow; all where shapes differ."""
    count = len(wanted)
    if wanted.shape != forced.shape or any(len(one) != count for one in fed) or count < 2:
        return slice(None)
    apart = np.nan_to_num(np.abs(wanted - forced), nan=np.inf).reshape(count, -1).max(1)
    return slice(int(apart.argmax()), int(apart.argmax()) + 1)


def _of(examples: slice, options: Mapping[str, Any]) -> dict[str, Any]:
    """A call's options for some of its examples."""
    return {
        name: value[examples] if isinstance(value, np.ndarray) else value
        for name, value in options.items()
    }


def latent(k: Call, t: Call, named: Iterable[str]) -> list[Cause]:
    """Settings in which the two differ and that this input has not shown."""
    if type(k.config) is not type(t.config) or k.config is None:
        return []
    found = []
    fed_alike = [one.shape for one in k.inputs] == [one.shape for one in t.inputs]
    for one in _settings(k, t, k.inputs):
        if one.name == "padding" and not fed_alike:
            continue  # part of it stands before the layer
        cause = _cause(k, t, one, 0.0, 0.0, None)
        if cause.id not in named:
            entry = CATALOGUE.get(cause.id)
            rung = entry.rung if entry else RUNGS.get(one.name, "forward_eval")
            found.append(dataclasses.replace(cause, proof=None, rung=rung))
    return found


RUNGS = {"momentum": "step", "rate": "forward_train", "stddev": "forward_train"}
"""Settings without an entry of their own to the rung where they show."""


def reference(
    config: Any,
    weights: Mapping[str, np.ndarray],
    fed: tuple[np.ndarray, ...],
    flavour: str,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> np.ndarray | None:
    """What the layer's reference gives; None where it cannot take these weights or inputs."""
    try:
        return computed(config, weights, fed, options, flavour)
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


def _either(config: Any) -> list[Any]:
    """The configuration, and where that is another one with its floats rounded to float32."""
    floats = {
        field.name: as_float32(value)
        for field in dataclasses.fields(config)
        if isinstance(value := getattr(config, field.name), float)
    }
    rounded = dataclasses.replace(config, **floats)
    return [config] if rounded == config else [config, rounded]


def _with_constants(config: Any, other: Any) -> Any:
    """The configuration with the other's floats where both are one once rounded to float32."""
    if type(config) is not type(other):
        return config
    values = {field.name: getattr(other, field.name) for field in dataclasses.fields(config)}
    same = {
        name: value
        for name, value in values.items()
        if isinstance(value, float) and _alike(value, getattr(config, name))
    }
    return dataclasses.replace(config, **same)


def _weights(own: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> list[Setting]:
    """Weights of one shape that differ, and those that only one side has."""
    return [
        Setting(name, own.get(name), other.get(name), weight=True)
        for name in dict.fromkeys([*own, *other])
        if name not in own
        or name not in other
        or (own[name].shape == other[name].shape and not np.array_equal(own[name], other[name]))
    ]


def _shapes(own: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> list[Setting]:
    """Weights of either side whose shapes differ."""
    return [
        Setting(name, own[name], other[name], weight=True)
        for name in own
        if name in other and own[name].shape != other[name].shape
    ]


def _cause(
    k: Call,
    t: Call,
    one: Setting,
    before: float,
    after: float,
    flattened: tuple[int, ...] | None,
) -> Cause:
    own, other, name, rung = one.keras, one.torch, id_of(k, one), "forward_eval"
    if one.weight:
        rung = "parameters"
        undone = (
            mistakes.undone(k, one.name, own, t.weights, flattened) if own is not None else None
        )
        name = undone[0] if undone else name
        own, other = ("none" if value is None else "its own" for value in (own, other))
    elif one.name == "kind":
        own, other = _named(own), _named(other)
    elif one.name == "mask":
        own, other = "masked", "all steps" if other is None else "masked otherwise"
    return Cause(name, k.name, own, other, Proof(before, after), rung)


def _named(config: Any) -> str:
    alone = type(config).__name__ == "Activation"
    return str(config.activation if alone else config.keras)


def id_of(call: Call, setting: Setting) -> str:
    """The catalogue's id, or one of the same form."""
    kind = type(call.config).__name__
    if setting.name == "formula":
        return FORMULAS.get(call.config.activation, "hard_sigmoid.slope")  # of a recurrent layer
    if setting.name == "kind" and kind in ("Activation", "ReLU", "ELU", "Softmax"):
        both = {_function(setting.keras), _function(setting.torch)}
        return ALIKE[both.pop()] if len(both) == 1 else "activation.function"
    if kind == "Activation":
        alike = {setting.keras, setting.torch} == {"gelu", "gelu_tanh"}
        return "gelu.approximate" if alike else "activation.function"
    if setting.name == "padding" and setting.keras == "causal":
        return "conv.causal_padding"
    if setting.name == "padding" and isinstance(setting.keras, tuple):  # told in numbers
        turned = setting.keras == tuple(reversed(setting.torch)) and len(setting.keras) > 1
        return "zero_padding.order" if turned else f"{KINDS.get(kind, kind.lower())}.padding"
    if setting.name == "interpolation" and "align_corners" in str(setting.torch):
        return "up_sampling.align_corners"
    if setting.name == "mask" and "Pooling" not in kind:
        holes = bool((np.diff(setting.keras.astype(int), axis=1) > 0).any())
        known = setting.torch is not None and holes
        return "masking.holes" if known else "masking.padded_sequences"
    shapes = {np.shape(one) for one in (setting.keras, setting.torch)}
    if kind == "PReLU" and setting.weight and len(shapes) > 1:
        return "prelu.parameters"
    own = f"{KINDS.get(kind, kind.lower())}.{setting.name.split('/')[-1]}"
    return NAMES.get(own, own)


def _function(config: Any) -> str:
    """An activation's family, whatever class says it."""
    if getattr(config, "negative_slope", 0.0):
        return "leaky_relu"
    return str(getattr(config, "activation", None) or type(config).__name__).lower()


ALIKE = {"relu": "relu.max_value", "elu": "elu.alpha", "softmax": "softmax.axis"}
"""Families of several classes to what these set."""

FORMULAS = {"hard_sigmoid": "hard_sigmoid.slope", "softplus": "softplus.threshold"}
"""Activations that are not the same in both, to the catalogue's id."""


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
    "ZeroPadding": "zero_padding",
    "UpSampling": "up_sampling",
    "GlobalMaxPooling": "global_max_pool",
    "GlobalAveragePooling": "global_average_pool",
    "MultiHeadAttention": "attention",
    "GaussianNoise": "noise",
    **dict.fromkeys(
        (
            *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
            *("GaussianDropout", "AlphaDropout"),
        ),
        "dropout",
    ),
}
"""Configuration to the catalogue's name of the kind, where that is not its own in small letters."""

NAMES = {
    "conv.padding": "conv.same_padding",
    "max_pool.padding": "max_pool.same_padding",
    "average_pool.padding": "average_pool.same_padding",
    "average_pool.count_include_pad": "average_pool.same_padding",
    "leaky_relu.negative_slope": "leaky_relu.slope",
    "leaky_relu.max_value": "relu.max_value",
    "layer_norm.axis": "layer_norm.axes",
    "conv_transpose.padding": "conv_transpose.same_padding",
    "zero_padding.padding": "zero_padding.order",
}
"""Kind and setting to the catalogue's id, where that has another name."""
