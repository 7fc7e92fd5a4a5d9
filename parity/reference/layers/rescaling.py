"""Scaling of inputs: by given numbers, or to mean 0 and variance 1.

Sources: ``tf_keras/src/layers/preprocessing/`` and ``keras/src/layers/preprocessing/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import fitted, layer_kind

Numbers = float | tuple[float, ...]
"""One number for all channels, or one for each."""


@layer_kind("rescaling", family="rescaling")
@dataclass(frozen=True, kw_only=True)
class Rescaling:
    """The input times a scale, plus an offset."""

    keras: ClassVar[str] = "Rescaling"
    scale: Numbers
    offset: Numbers


@layer_kind("normalization", family="rescaling")
@dataclass(frozen=True, kw_only=True)
class Normalization:
    """The input minus a mean, divided by the root of a variance, along the last axis."""

    keras: ClassVar[str] = "Normalization"
    mean: Numbers
    variance: Numbers


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "Rescaling": {"offset": 0.0},
    "Normalization": {"axis": -1, "mean": None, "variance": None, "invert": False},
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {}


def reference(
    config: Rescaling | Normalization, weights: Mapping[str, np.ndarray], x: np.ndarray
) -> np.ndarray:
    """x·scale + offset, or (x − mean)/√variance.

    Args:
        config: the layer.
        weights: none; the mean and variance that Keras has adapted are in the configuration.
        x: (…, C).
    """
    if isinstance(config, Rescaling):
        return np.asarray(x * np.asarray(config.scale) + np.asarray(config.offset))
    deviation = np.maximum(np.sqrt(config.variance), SMALLEST)
    return np.asarray((x - np.asarray(config.mean)) / deviation)


SMALLEST = 1e-7
"""Keras divides by no smaller number."""


@fitted(Rescaling, Normalization)
def _fitted(
    config: Rescaling | Normalization, x: np.ndarray, y: np.ndarray
) -> Rescaling | Normalization | None:
    """The scale and offset, or mean and variance, with which the layer gives y."""
    names = ("scale", "offset") if isinstance(config, Rescaling) else ("mean", "variance")
    single = all(np.ndim(getattr(config, name)) == 0 for name in names)
    line = _line(x, y, 1 if single else x.shape[-1])
    if line is None or not line[0].all():
        return None
    factor, shift = line
    found = (factor, shift) if isinstance(config, Rescaling) else (-shift / factor, factor**-2)
    first, second = (
        _numbers(value, getattr(config, name)) for name, value in zip(names, found, strict=True)
    )
    if isinstance(config, Rescaling):
        return replace(config, scale=first, offset=second)
    return replace(config, mean=first, variance=second)


def _line(x: np.ndarray, y: np.ndarray, channels: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Factor and shift of each channel by which y = factor·x + shift; None without a spread."""
    x, y = x.reshape(-1, channels), y.reshape(-1, channels)
    spread = x - x.mean(0)
    square = (spread**2).sum(0)
    if not square.all() or not np.isfinite(y).all():
        return None
    factor = (spread * (y - y.mean(0))).sum(0) / square
    return factor, y.mean(0) - factor * x.mean(0)


def _numbers(value: np.ndarray, own: Numbers) -> Numbers:
    """A fitted value; the layer's own where both are equal up to rounding."""
    if np.allclose(value, own, rtol=FIT, atol=FIT):
        return own
    return float(value[0]) if np.ndim(own) == 0 and len(value) == 1 else tuple(map(float, value))


FIT = 1e-9
"""The error of a fitted constant, in float64."""

_FILE = "keras/src/layers/preprocessing/rescaling.py"

DIFFERENCES = (
    Difference(
        id="rescaling.offset",
        kind="rescaling",
        title="Keras adds the offset after scaling",
        what="Rescaling(1/127.5, offset=-1) is x/127.5 − 1. Ports that subtract first, "
        "(x − 1)/127.5, or that leave the offset out, hand on another range.",
        why="PyTorch has no such layer; torchvision's Normalize subtracts first, then divides.",
        to_torch="x / 127.5 - 1",
        to_keras="for Normalize(mean, std): Rescaling(1/std, offset=-mean/std)",
        size=0.8,
        measured="normal images, Rescaling(1/127.5, offset=-1), subtracted first",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="normalization.variance",
        kind="rescaling",
        title="Keras takes the variance, torchvision the standard deviation",
        what="Normalization(mean=…, variance=…) divides by the root of the variance. torchvision's "
        "Normalize(mean, std) divides by std.",
        why="The two arguments are mistaken for each other; nothing raises.",
        to_torch="(x - mean) / variance.sqrt()",
        to_keras="Normalization(mean=mean, variance=np.square(std))",
        size=1,
        measured="4×4 images of 3 channels with variances of 0.2 to 0.6, divided by the variance",
        rung="forward_eval",
        source="keras/src/layers/preprocessing/normalization.py",
    ),
)
