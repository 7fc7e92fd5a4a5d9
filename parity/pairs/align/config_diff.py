"""In what two layers that belong together are set otherwise: fields, weights, what they leave out.

A difference has the catalogue's id if there is an entry, else one made of kind and setting.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.adapters.calls import Call
from parity.constants import as_float32
from parity.reference.layers.recurrent.bidirectional import Bidirectional
from parity.reference.layers.windowed import conv_transpose
from parity.reference.layers.windowed.geometry import same

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
        return isinstance(one, np.ndarray) and one.dtype == bool and bool(one.all())
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
