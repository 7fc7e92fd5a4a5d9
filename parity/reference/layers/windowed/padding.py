"""Zero padding, cropping and up-sampling in one to three dimensions.

Sources: ``tf_keras/src/layers/reshaping/`` and ``keras/src/layers/reshaping/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import layer_kind
from parity.reference.layers.windowed.geometry import Sides


@layer_kind("zero_padding", ids={"padding": "zero_padding.order"})
@dataclass(frozen=True, kw_only=True)
class ZeroPadding:
    """Zeros before and after each spatial axis."""

    padding: Sides

    @property
    def keras(self) -> str:
        """Name of Keras's class."""
        return f"ZeroPadding{len(self.padding)}D"


@layer_kind("cropping")
@dataclass(frozen=True, kw_only=True)
class Cropping:
    """The input without its outermost entries, before and after each spatial axis."""

    cropping: Sides

    @property
    def keras(self) -> str:
        """Name of Keras's class."""
        return f"Cropping{len(self.cropping)}D"


ALIGNED = "bilinear, align_corners"
"""PyTorch's bilinear interpolation with ``align_corners=True``."""


@layer_kind("up_sampling", family="resizing")
@dataclass(frozen=True, kw_only=True)
class UpSampling:
    """Up-sampling with the interpolation 'nearest' (repeated entries) or, for images, 'bilinear'.

    'bilinear' interpolates between pixel centres, as PyTorch does with ``align_corners=False``.
    TensorFlow computes it in float32 for any dtype.
    """

    size: tuple[int, ...]
    interpolation: str = "nearest"

    @property
    def keras(self) -> str:
        """Name of Keras's class."""
        return f"UpSampling{len(self.size)}D"


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "ZeroPadding2D": {"padding": 1},
    "Cropping2D": {"cropping": 0},
    "UpSampling2D": {"size": 2, "interpolation": "nearest"},
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {"Upsample": {"mode": "nearest", "align_corners": None}}


def reference(
    config: ZeroPadding | Cropping | UpSampling, weights: Mapping[str, np.ndarray], x: np.ndarray
) -> np.ndarray:
    """The padded, cropped or up-sampled input.

    Args:
        config: the layer.
        weights: none.
        x: (N, *space, C).
    """
    if isinstance(config, ZeroPadding):
        return np.pad(x, ((0, 0), *config.padding, (0, 0)))
    if isinstance(config, Cropping):
        sides = zip(x.shape[1:-1], config.cropping, strict=True)
        kept = tuple(slice(before, size - after) for size, (before, after) in sides)
        return x[(slice(None), *kept)]
    for axis, size in enumerate(config.size, 1):
        linear, aligned = config.interpolation != "nearest", config.interpolation == ALIGNED
        x = _linear(x, axis, size, aligned) if linear else x.repeat(size, axis)
    return x


def places(
    size: int, times: int, aligned: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each up-sampled entry: the two source entries around it, and the weight of the second.

    Returns:
        int (size·times,) twice, float64 (size·times,).
    """
    at = np.clip((np.arange(size * times) + 0.5) / times - 0.5, 0.0, size - 1.0)
    if aligned:
        at = np.linspace(0.0, size - 1.0, size * times)
    low = np.floor(at).astype(int)
    return low, np.minimum(low + 1, size - 1), at - low


def _linear(x: np.ndarray, axis: int, times: int, aligned: bool = False) -> np.ndarray:
    """Linear interpolation along an axis; see :func:`places`."""
    low, high, share = places(x.shape[axis], times, aligned)
    share = share.reshape(-1, *(1,) * (x.ndim - 1 - axis))
    return np.asarray(x.take(low, axis) * (1.0 - share) + x.take(high, axis) * share)


DIFFERENCES = (
    Difference(
        id="zero_padding.order",
        kind="padding",
        title="Keras lists the rows first, F.pad the last axis",
        what="Keras: ZeroPadding2D(((top, bottom), (left, right))). PyTorch: F.pad and "
        "nn.ZeroPad2d take (left, right, top, bottom).",
        why="F.pad counts axes from the last. If the totals per axis are equal, the shapes agree.",
        to_torch="F.pad(x, (left, right, top, bottom)) on channels-first input",
        to_keras="ZeroPadding2D(((top, bottom), (left, right)))",
        size=1,
        measured="4×4 images, a row at the bottom and a column at the left",
        rung="forward_eval",
        source="keras/src/layers/reshaping/zero_padding2d.py",
    ),
    Difference(
        id="up_sampling.align_corners",
        kind="padding",
        title="bilinear: Keras never aligns corners, PyTorch has an option for it",
        what="Keras interpolates between pixel centres, as PyTorch does by default "
        "(align_corners=False). With align_corners=True the corner pixels keep their positions, so "
        "all other positions change.",
        why="Much old code sets True: PyTorch before 0.4 and TensorFlow 1 had no other choice.",
        to_torch="F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=False)",
        size=0.3,
        measured="4×4 images of whole numbers, doubled",
        rung="forward_eval",
        source="keras/src/layers/reshaping/up_sampling2d.py",
    ),
    Difference(
        id="up_sampling.bicubic",
        kind="padding",
        title="bicubic: the cubic's coefficient is −½ in Keras, −¾ in PyTorch",
        what="Both weight four pixels along each axis with a piecewise cubic, but with different "
        "coefficients. At the border Keras omits pixels outside the image and rescales the "
        "remaining weights; PyTorch repeats the border pixel. Keras computes in float32.",
        why="Keras follows Keys (1981), PyTorch follows OpenCV. PyTorch's antialias=True follows "
        "Pillow, which uses Keys's coefficient.",
        to_torch="F.interpolate(x, scale_factor=2, mode='bicubic', antialias=True)",
        size=0.05,
        measured="8×8 images of whole numbers, doubled, away from the edges",
        rung="forward_eval",
        source="tensorflow/core/kernels/image/resize_bicubic_op.cc",
    ),
)
