"""Channels of a pixel as a block of pixels, and the way back.

Sources: ``tf.nn.depth_to_space``, ``tf.nn.space_to_depth``; ``torch/nn/modules/pixelshuffle.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import fitted, layer_kind

BLOCKS, CHANNELS = "blocks first", "channels first"
"""Orders of the deep channels: TensorFlow counts (row, column, channel), PyTorch (channel, row,
column)."""


@layer_kind("depth_to_space", family="depth_to_space")
@dataclass(frozen=True, kw_only=True)
class DepthToSpace:
    """(N, H, W, C·b²) to (N, H·b, W·b, C)."""

    keras: ClassVar[str] = "depth_to_space"
    block_size: int
    order: str = BLOCKS


@layer_kind("space_to_depth", family="depth_to_space")
@dataclass(frozen=True, kw_only=True)
class SpaceToDepth:
    """(N, H·b, W·b, C) to (N, H, W, C·b²)."""

    keras: ClassVar[str] = "space_to_depth"
    block_size: int
    order: str = BLOCKS


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {}


def reference(
    config: DepthToSpace | SpaceToDepth, weights: Mapping[str, np.ndarray], x: np.ndarray
) -> np.ndarray:
    """The entries in another place; nothing is computed.

    Args:
        config: the layer.
        weights: none.
        x: (N, H, W, C).
    """
    count, height, width, channels = x.shape
    b, first = config.block_size, config.order == BLOCKS
    if isinstance(config, DepthToSpace):
        deep = (b, b, channels // b**2) if first else (channels // b**2, b, b)
        order = (0, 1, 3, 2, 4, 5) if first else (0, 1, 4, 2, 5, 3)
        split = x.reshape(count, height, width, *deep).transpose(order)
        return split.reshape(count, height * b, width * b, channels // b**2)
    split = x.reshape(count, height // b, b, width // b, b, channels)
    order = (0, 1, 3, 2, 4, 5) if first else (0, 1, 3, 5, 2, 4)
    return split.transpose(order).reshape(count, height // b, width // b, channels * b**2)


def recognized(x: np.ndarray, y: np.ndarray) -> DepthToSpace | SpaceToDepth | None:
    """The layer that gives y for x; None if there is none."""
    if x.ndim != 4 or y.ndim != 4 or x.shape == y.shape or 0 in (*x.shape, *y.shape):
        return None
    deeper = y.shape[-1] > x.shape[-1]
    small, large = (y, x) if deeper else (x, y)
    block = large.shape[1] // small.shape[1]
    kind = SpaceToDepth if deeper else DepthToSpace
    for order in (BLOCKS, CHANNELS):
        config = kind(block_size=block, order=order)
        try:
            found = reference(config, {}, x)
        except (ValueError, ZeroDivisionError):
            return None
        if np.array_equal(found, y):
            return config
    return None


@fitted(DepthToSpace, SpaceToDepth)
def _fitted(config: Any, x: np.ndarray, y: np.ndarray) -> Any:
    """The layer with the other order."""
    return replace(config, order=CHANNELS if config.order == BLOCKS else BLOCKS)


DIFFERENCES = tuple(
    Difference(
        id=f"{kind}.order",
        kind="depth_to_space",
        title=f"tf.nn.{kind} and nn.{module} order the channels differently",
        what=f"Of the C·b² deep channels TensorFlow's {kind} counts row and column of the block "
        f"first, then the channel; nn.{module} the channel first, then row and column.",
        why="Each follows its own memory layout. Shapes agree, so nothing raises; with C = 1 both "
        "are equal.",
        to_torch=fix,
        to_keras=f"permute the channels of the convolution before (or after) {kind}",
        size=1,
        measured=measured,
        rung="forward_eval",
        source=f"torch/nn/modules/pixelshuffle.py ({module})",
    )
    for kind, module, fix, measured in (
        (
            "depth_to_space",
            "PixelShuffle",
            "x.view(N, b*b, C, H, W).transpose(1, 2).flatten(1, 2), then nn.PixelShuffle(b)",
            "4×4 maps of 12 channels, blocks of 2",
        ),
        (
            "space_to_depth",
            "PixelUnshuffle",
            "nn.PixelUnshuffle(b)(x).view(N, C, b*b, H, W).transpose(1, 2).flatten(1, 2)",
            "4×4 images of 3 channels, blocks of 2",
        ),
    )
)
