"""The catalogue id of a setting in which two layers differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.adapters.calls import Call
from parity.pairs.align.config_diff import LAST_STEP, ZEROS, Setting
from parity.reference.layers.kinds import KINDS
from parity.reference.layers.windowed.resizing import FLOORED


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
    if setting.name == "padding" and isinstance(setting.keras, tuple):  # given as numbers
        turned = setting.keras == tuple(reversed(setting.torch)) and len(setting.keras) > 1
        if turned or kind == "ZeroPadding":
            return "zero_padding.order" if turned else "zero_padding.padding"
    if setting.name == "interpolation":
        return f"{KINDS[type(call.config)].name}.{_interpolation(setting)}"
    shapes_ = {np.shape(one) for one in (setting.keras, setting.torch)}
    if kind == "PReLU" and setting.role == "weight" and len(shapes_) > 1:
        return "prelu.parameters"
    return KINDS[type(call.config)].id_of(setting.name)


def _interpolation(setting: Setting) -> str:
    """The last part of the id of an interpolation that differs."""
    if "align_corners" in str(setting.torch):
        return "align_corners"
    both = {setting.keras, setting.torch}
    return "nearest" if both == {"nearest", FLOORED} else "interpolation"


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
    if setting.name in ("attention_mask", "attention_bias"):
        both = own is not None and other is not None and own.dtype == other.dtype == bool
        turned = both and np.array_equal(own, ~other)
        return "attention.mask_polarity" if turned else "attention.mask"
    if setting.name in (ids := KINDS[type(call.config)].ids):
        return ids[setting.name]
    if setting.name in (ZEROS, LAST_STEP):
        return "masking.padded_outputs"
    return "masking.holes" if own is not None and _holes(own) else "masking.padded_sequences"


def _holes(mask: np.ndarray) -> bool:
    """Whether steps are left out before ones that count, or all of a sequence."""
    return bool((np.diff(mask.astype(int), axis=1) > 0).any() or (~mask).all(1).any())
