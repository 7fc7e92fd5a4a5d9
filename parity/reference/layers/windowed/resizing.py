"""Resizing of images to a given size.

Sources: ``tf_keras/src/layers/preprocessing/image_preprocessing.py``,
``keras/src/layers/preprocessing/image_preprocessing/resizing.py`` and
``torch/nn/functional.py`` (interpolate).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import conversion, layer_kind
from parity.reference.layers.windowed.padding import ALIGNED, UpSampling

FLOORED = "nearest, floored"
"""PyTorch's ``mode="nearest"``: the entry at ⌊i·in/out⌋; ``"nearest-exact"`` is Keras's."""


@layer_kind("resizing", family="resizing")
@dataclass(frozen=True, kw_only=True)
class Resizing:
    """Images of another size: the nearest entry, or linear interpolation between pixel centres."""

    keras: ClassVar[str] = "Resizing"
    height: int
    width: int
    interpolation: str = "bilinear"
    antialias: bool = False


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "Resizing": {"interpolation": "bilinear", "crop_to_aspect_ratio": False}
}
KERAS_3_DEFAULTS: dict[str, dict[str, Any]] = {
    "Resizing": {
        "interpolation": "bilinear",
        "crop_to_aspect_ratio": False,
        "pad_to_aspect_ratio": False,
        "antialias": False,
    }
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {}


def reference(config: Resizing, weights: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """The images in the new size.

    Args:
        config: the layer.
        weights: none.
        x: (N, H, W, C).
    """
    rows, columns = (
        shares(old, new, config.interpolation, config.antialias)
        for old, new in zip(x.shape[1:3], (config.height, config.width), strict=True)
    )
    return np.asarray(np.einsum("nhwc,Hh,Ww->nHWc", x, rows, columns, optimize=True))


def shares(old: int, new: int, interpolation: str, antialias: bool = False) -> np.ndarray:
    """The weight of each entry of an axis in each entry of the resized axis.

    Args:
        old: number of entries.
        new: number of entries of the result.
        interpolation: see :class:`Resizing`, :data:`FLOORED` and ``ALIGNED``.
        antialias: whether an axis that shrinks is averaged, by a triangle as wide as two of the
            new entries.

    Returns:
        (new, old); each row sums to 1.
    """
    at = (np.arange(new) + 0.5) * (old / new) - 0.5
    if interpolation == ALIGNED:
        at = np.linspace(0.0, old - 1.0, new)
    if interpolation in ("nearest", FLOORED):
        shift = 0.5 if interpolation == "nearest" else 0.0
        chosen = np.floor((np.arange(new) + shift) * old / new).astype(int)
        return np.asarray(np.eye(old)[np.minimum(chosen, old - 1)])
    width = max(old / new, 1.0) if antialias else 1.0
    if width == 1.0:
        at = np.clip(at, 0.0, old - 1.0)
    found = np.maximum(1.0 - np.abs(np.arange(old) - at[:, None]) / width, 0.0)
    return np.asarray(found / found.sum(1, keepdims=True))


@conversion(UpSampling, Resizing)
def _resized(config: UpSampling, shape: Sequence[int]) -> Resizing | None:
    """Up-sampling by a whole number, as the size that it gives."""
    if len(config.size) != 2:
        return None
    height, width = (times * n for times, n in zip(config.size, shape[1:3], strict=True))
    return Resizing(height=height, width=width, interpolation=config.interpolation)


@conversion(Resizing, UpSampling)
def _up_sampled(config: Resizing, shape: Sequence[int]) -> UpSampling | None:
    """The other way round; None where the size is no multiple."""
    sizes = config.height, config.width
    if any(new % old for new, old in zip(sizes, shape[1:3], strict=True)):
        return None
    times = tuple(new // old for new, old in zip(sizes, shape[1:3], strict=True))
    kind = "nearest" if config.interpolation == FLOORED else config.interpolation
    return UpSampling(size=times, interpolation=kind)


_FILE = "keras/src/layers/preprocessing/image_preprocessing/resizing.py"

DIFFERENCES = (
    Difference(
        id="resizing.interpolation",
        kind="resizing",
        title="bilinear by default in Keras, nearest in PyTorch",
        what="Resizing(height, width) and tf.image.resize interpolate linearly. F.interpolate(x, "
        "size) takes the nearest entry.",
        why="Each framework chose its own default.",
        to_torch="F.interpolate(x, (height, width), mode='bilinear', align_corners=False)",
        to_keras="Resizing(height, width, interpolation='nearest')",
        size=1,
        measured="5×5 images of 3 channels to 8×7",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="resizing.align_corners",
        kind="resizing",
        title="Keras never aligns corners, PyTorch has an option for it",
        what="Both interpolate between pixel centres by default. With align_corners=True the "
        "corner pixels keep their positions, so all other positions change.",
        why="Much old code sets True: PyTorch before 0.4 and TensorFlow 1 had no other choice.",
        to_torch="F.interpolate(x, (height, width), mode='bilinear', align_corners=False)",
        size=0.2,
        measured="5×5 images of 3 channels to 8×7",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="resizing.antialias",
        kind="resizing",
        title="torchvision averages when it shrinks images, Keras does not",
        what="Keras, tf.image.resize and F.interpolate take two pixels per axis, however much they "
        "shrink the image. With antialias=True every pixel counts, as in torchvision's Resize and "
        "in PIL.",
        why="Skipping pixels makes patterns appear that the image does not have.",
        to_torch="F.interpolate(x, (height, width), mode='bilinear', antialias=False)",
        to_keras="Resizing(height, width, antialias=True) in Keras 3, or "
        "tf.image.resize(x, (height, width), antialias=True)",
        size=0.5,
        measured="8×8 images of 3 channels to 3×3",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="resizing.nearest",
        kind="resizing",
        title="the nearest entry to a pixel's centre in Keras, to its corner in PyTorch",
        what="For pixel i Keras takes the entry at (i + 1/2)·in/out, rounded down; PyTorch's "
        "mode='nearest' the one at i·in/out, as OpenCV does. They agree where out is a multiple of "
        "in.",
        why="PyTorch keeps its old behaviour and calls the other one 'nearest-exact'.",
        to_torch="F.interpolate(x, (height, width), mode='nearest-exact')",
        size=1,
        measured="5×5 images of 3 channels to 8×7, the nearest entry",
        rung="forward_eval",
        source=_FILE,
    ),
)
