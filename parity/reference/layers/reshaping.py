"""The layers Flatten, Reshape and Permute.

Sources: ``tf_keras/src/layers/reshaping/`` and ``keras/src/layers/reshaping/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import layer_kind


@layer_kind("flatten")
@dataclass(frozen=True, kw_only=True)
class Flatten:
    """(N, …) to (N, entries)."""

    keras: ClassVar[str] = "Flatten"


@layer_kind("reshape")
@dataclass(frozen=True, kw_only=True)
class Reshape:
    """(N, …) to (N, *target_shape)."""

    keras: ClassVar[str] = "Reshape"
    target_shape: tuple[int, ...]


@layer_kind("permute")
@dataclass(frozen=True, kw_only=True)
class Permute:
    """Axes in another order, counted from 1, without the batch axis."""

    keras: ClassVar[str] = "Permute"
    dims: tuple[int, ...]


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {"Flatten": {"data_format": None}}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {"Flatten": {"start_dim": 1, "end_dim": -1}}


def reference(
    config: Flatten | Reshape | Permute, weights: Mapping[str, np.ndarray], x: np.ndarray
) -> np.ndarray:
    """The entries of x in another shape; the last axis runs fastest.

    Args:
        config: the layer.
        weights: none.
        x: (N, …), channels-last.
    """
    if isinstance(config, Permute):
        return x.transpose(0, *config.dims)
    return x.reshape(len(x), *(config.target_shape if isinstance(config, Reshape) else (-1,)))


DIFFERENCES = (
    Difference(
        id="flatten.order",
        kind="flatten",
        title="flattened order: H, W, C in Keras, C, H, W in PyTorch",
        what="Both flatten in memory order: Keras (H, W, C), PyTorch (C, H, W). The following "
        "dense layer then receives its inputs in a different order.",
        why="Shapes agree, so nothing raises. This is the most common fault in ported CNNs. Images "
        "with one channel and 1×1 maps do not show it.",
        to_torch="x.permute(0, 2, 3, 1).flatten(1), or reorder the dense kernel once: "
        "kernel.reshape(H, W, C, -1).permute(2, 0, 1, 3).flatten(0, 2)",
        to_keras="Permute((3, 1, 2)) before Flatten, or reorder the dense kernel once: "
        "kernel.reshape(C, H, W, -1).transpose(1, 2, 0, 3), flattened",
        size=1,
        measured="a dense layer after 4×4 maps of 3 channels",
        rung="forward_eval",
        source="keras/src/layers/reshaping/flatten.py",
    ),
    Difference(
        id="reshape.order",
        kind="flatten",
        title="a vector becomes (H, W, C) in Keras, (C, H, W) in PyTorch",
        what="Reshape((4, 4, 3)) fills the channels of a pixel first. x.view(N, 3, 4, 4) fills a "
        "whole channel first.",
        why="The same reason as flatten.order; it occurs in generators and decoders.",
        to_torch="x.view(N, 4, 4, 3).permute(0, 3, 1, 2)",
        to_keras="Reshape((3, 4, 4)), then Permute((2, 3, 1))",
        size=1,
        measured="vectors of 48 to 4×4 maps of 3 channels",
        rung="forward_eval",
        source="keras/src/layers/reshaping/reshape.py",
    ),
    Difference(
        id="permute.dims",
        kind="flatten",
        title="axes are counted from 1 without the batch axis, or from 0 with it",
        what="Permute((2, 1)) is x.permute(0, 2, 1). Copying Keras's numbers into PyTorch raises "
        "an error.",
        why="Keras's layers never move the batch axis.",
        to_torch="x.permute(0, *dims)",
        size=float("inf"),
        measured="Permute((3, 1, 2)), its numbers copied: RuntimeError",
        rung="forward_eval",
        source="keras/src/layers/reshaping/permute.py",
    ),
)
