"""In what two layers that belong together are set otherwise: fields, weights, what they leave out.

A difference is told by the catalogue's id where that has an entry, else by kind and setting.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.constants import as_float32
from parity.layers import conv_transpose
from parity.layers.bidirectional import Bidirectional
from parity.layers.windows import same
from parity.pairs.calls import Call

Options = Mapping[str, Any]
Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """One thing in which two layers part.

    Attributes:
        name: of the field, weight or option.
        keras: Keras's value; None for what only the other has.
        torch: PyTorch's, likewise.
        role: ``field`` of the configuration, ``weight``, or ``option``: of :attr:`Call.options`.
    """

    name: str
    keras: Any
    torch: Any
    role: str = "field"


def fields(k: Call, t: Call, fed: tuple[np.ndarray, ...]) -> list[Setting]:
    """Fields of the two configurations that differ, with what they come to for this input."""
    if type(k.config) is not type(t.config):
        return []
    found = []
    for field in dataclasses.fields(k.config):
        own, other = getattr(k.config, field.name), getattr(t.config, field.name)
        if field.name == "padding" and hasattr(k.config, "strides"):
            own, other = (sides(k.config, one, fed[0]) for one in (own, other))
        if isinstance(k.config, Bidirectional) and field.name == "layer":
            other = dataclasses.replace(other, return_sequences=own.return_sequences)
        if field.name in IGNORED or alike(own, other):
            continue
        own, other = getattr(k.config, field.name), getattr(t.config, field.name)
        found.append(Setting(field.name, own, other))
    return found


IGNORED = {"return_sequences", "keepdims", "mask_zero"}
"""Fields that say what is handed on, not what is computed."""


def alike(own: Any, other: Any) -> bool:
    """Equal, or the same constant once rounded as Keras rounds it."""
    if isinstance(own, float) and isinstance(other, float):
        return own == other or as_float32(own) == as_float32(other)
    return bool(own == other)


def options(own: Options, other: Options) -> list[Setting]:
    """Masks, and what is done with them, in which the two differ; a mask of all is none."""
    return [
        Setting(name, own.get(name), other.get(name), "option")
        for name in dict.fromkeys([*own, *other])
        if not _one_mask(own.get(name), other.get(name))
    ]


def _one_mask(own: Any, other: Any) -> bool:
    """Whether two options are the same; None is a mask of nothing."""
    if own is None or other is None:
        one = other if own is None else own
        return isinstance(one, np.ndarray) and bool(one.all())
    return np.array_equal(own, other)


ZEROS, LAST_STEP = "zero_output_for_mask", "last_step"
"""Options: masked steps are zeros; of all steps the last is taken, whatever it is."""


def refilled(t: Call) -> bool:
    """Whether a call hands on zeros for masked steps, whatever is put in its place."""
    every = t.output.ndim > 2 or bool(t.options.get(LAST_STEP))
    return every and bool(t.options.get(ZEROS))


def weights(own: Weights, other: Weights) -> list[Setting]:
    """Weights of one shape that differ, and those that only one side has."""
    return [
        Setting(name, own.get(name), other.get(name), "weight")
        for name in dict.fromkeys([*own, *other])
        if name not in own
        or name not in other
        or (own[name].shape == other[name].shape and not np.array_equal(own[name], other[name]))
    ]


def shapes(own: Weights, other: Weights) -> list[Setting]:
    """Weights of either side whose shapes differ."""
    return [
        Setting(name, own[name], other[name], "weight")
        for name in own
        if name in other and own[name].shape != other[name].shape
    ]


def sides(config: Any, padding: Any, x: np.ndarray) -> Any:
    """What a padding comes to for an input of this size: (before, after) of each axis."""
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


def id_of(call: Call, setting: Setting) -> str:
    """The catalogue's id, or one of the same form."""
    kind = type(call.config).__name__
    if setting.role == "option":
        return _id_of_option(call, setting)
    if setting.name == "formula":
        return FORMULAS.get(call.config.activation, "hard_sigmoid.slope")  # of a recurrent layer
    if setting.name == "kind" and kind in ("Activation", "ReLU", "ELU", "Softmax"):
        both = {_function(setting.keras), _function(setting.torch)}
        return ALIKE[both.pop()] if len(both) == 1 else "activation.function"
    if kind == "Activation":
        near = {setting.keras, setting.torch} == {"gelu", "gelu_tanh"}
        return "gelu.approximate" if near else "activation.function"
    if setting.name == "padding" and setting.keras == "causal":
        return "conv.causal_padding"
    if setting.name == "padding" and isinstance(setting.keras, tuple):  # told in numbers
        turned = setting.keras == tuple(reversed(setting.torch)) and len(setting.keras) > 1
        if turned or kind == "ZeroPadding":
            return "zero_padding.order" if turned else "zero_padding.padding"
    if setting.name == "interpolation" and "align_corners" in str(setting.torch):
        return "up_sampling.align_corners"
    shapes_ = {np.shape(one) for one in (setting.keras, setting.torch)}
    if kind == "PReLU" and setting.role == "weight" and len(shapes_) > 1:
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


def _id_of_option(call: Call, setting: Setting) -> str:
    own, other = setting.keras, setting.torch
    if setting.name == "attention_mask":
        turned = own is not None and other is not None and np.array_equal(own, ~other)
        return "attention.mask_polarity" if turned else "attention.mask"
    if setting.name == LAST_STEP and isinstance(call.config, Bidirectional):
        return "bidirectional.last_output"
    if setting.name in (ZEROS, LAST_STEP):
        return "masking.padded_outputs"
    if call.layer == "GlobalAveragePooling1D":
        return "global_average_pool.mask"
    if call.layer == "BatchNormalization":
        return "batch_norm.mask"
    return "masking.holes" if own is not None and _holes(own) else "masking.padded_sequences"


def _holes(mask: np.ndarray) -> bool:
    """Whether steps are left out before ones that count, or all of a sequence."""
    return bool((np.diff(mask.astype(int), axis=1) > 0).any() or (~mask).all(1).any())


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
            *("GaussianDropout", "AlphaDropout", "SpatialAlphaDropout"),
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
