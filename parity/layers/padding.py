"""Zero padding, cropping and up-sampling of images.

Sources: ``tf_keras/src/layers/reshaping/`` and ``keras/src/layers/reshaping/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.difference import Difference

Sides = tuple[tuple[int, int], tuple[int, int]]
"""(top, bottom), (left, right)."""


@dataclass(frozen=True, kw_only=True)
class ZeroPadding2D:
    """Rows and columns of zeros around images."""

    keras: ClassVar[str] = "ZeroPadding2D"
    padding: Sides


@dataclass(frozen=True, kw_only=True)
class Cropping2D:
    """Images without their outer rows and columns."""

    keras: ClassVar[str] = "Cropping2D"
    cropping: Sides


@dataclass(frozen=True, kw_only=True)
class UpSampling2D:
    """Every entry repeated: the interpolation 'nearest'.

    TensorFlow computes the others in float32 whatever the dtype.
    """

    keras: ClassVar[str] = "UpSampling2D"
    size: tuple[int, int]


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "ZeroPadding2D": {"padding": 1},
    "Cropping2D": {"cropping": 0},
    "UpSampling2D": {"size": 2, "interpolation": "nearest"},
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {"Upsample": {"mode": "nearest", "align_corners": None}}


def reference(
    config: ZeroPadding2D | Cropping2D | UpSampling2D,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
) -> np.ndarray:
    """The images, larger or smaller.

    Args:
        config: the layer.
        weights: none.
        x: (N, H, W, C).
    """
    if isinstance(config, ZeroPadding2D):
        return np.pad(x, ((0, 0), *config.padding, (0, 0)))
    if isinstance(config, Cropping2D):
        (top, bottom), (left, right) = config.cropping
        return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]
    return x.repeat(config.size[0], 1).repeat(config.size[1], 2)


DIFFERENCES = (
    Difference(
        id="zero_padding.order",
        kind="padding",
        title="rows come first in Keras, the last axis in F.pad",
        what="ZeroPadding2D(((top, bottom), (left, right))). F.pad takes (left, right, top, "
        "bottom), and nn.ZeroPad2d likewise.",
        why="F.pad counts axes from the last. Where all four add up alike, shapes agree.",
        to_torch="F.pad(x, (left, right, top, bottom)) on channels first",
        to_keras="ZeroPadding2D(((top, bottom), (left, right)))",
        size=1,
        measured="4×4 images, a row at the bottom and a column at the left",
        rung="forward_eval",
        source="keras/src/layers/reshaping/zero_padding2d.py",
    ),
    Difference(
        id="up_sampling.align_corners",
        kind="padding",
        title="bilinear: pixels are areas in Keras, points with align_corners",
        what="Keras interpolates between the centres of pixels, as PyTorch does with "
        "align_corners=False, its default. Much old code sets True, which stretches to the "
        "corners.",
        why="PyTorch before 0.4 could do nothing else, nor could TensorFlow 1.",
        to_torch="F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=False)",
        size=0.3,
        measured="4×4 images of whole numbers, doubled",
        rung="forward_eval",
        source="keras/src/layers/reshaping/up_sampling2d.py",
    ),
)
