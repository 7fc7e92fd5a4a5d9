"""The catalogue id of a setting in which two layers differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.adapters.calls import Call
from parity.pairs.align.config_diff import LAST_STEP, ZEROS, Setting
from parity.reference.layers.recurrent.bidirectional import Bidirectional


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
    own = f"{kind_of(kind)}.{setting.name.split('/')[-1]}"
    return NAMES.get(own, own)


def kind_of(layer: str) -> str:
    """The first part of an id, such as ``simple_rnn`` for the class ``SimpleRNN``."""
    return KINDS.get(layer, layer.lower())


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
