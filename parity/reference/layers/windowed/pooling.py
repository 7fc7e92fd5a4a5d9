"""Pooling layers, windowed and global.

TensorFlow has no float64 kernels for three-dimensional pooling.

Sources: ``tf_keras/src/layers/pooling/`` and ``keras/src/layers/pooling/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import layer_kind
from parity.reference.layers.windowed.geometry import Sides, padded, windows


def _family(config: Any) -> str:
    """Pools of one rank."""
    return f"pooling of rank {config.keras[-2]}"


@layer_kind("max_pool", ids={"padding": "max_pool.same_padding"}, family=_family)
@dataclass(frozen=True, kw_only=True)
class MaxPooling:
    """The largest entry of each window.

    ``padding`` is 'valid', 'same', or (before, after) for each axis.
    """

    pool_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str | Sides

    @property
    def keras(self) -> str:
        """Name of Keras's class."""
        return f"{type(self).__name__}{len(self.pool_size)}D"


@layer_kind(
    "average_pool",
    ids=dict.fromkeys(("padding", "count_include_pad"), "average_pool.same_padding"),
    family=_family,
)
@dataclass(frozen=True, kw_only=True)
class AveragePooling(MaxPooling):
    """The mean of each window, with or without the zero padding."""

    count_include_pad: bool = False


@layer_kind("global_max_pool", family=_family)
@dataclass(frozen=True, kw_only=True)
class GlobalMaxPooling:
    """The largest entry of each channel, over ``rank`` spatial axes."""

    rank: int
    keepdims: bool

    @property
    def keras(self) -> str:
        """Name of Keras's class."""
        return f"{type(self).__name__}{self.rank}D"


@layer_kind("global_average_pool", ids={"mask": "global_average_pool.mask"}, family=_family)
@dataclass(frozen=True, kw_only=True)
class GlobalAveragePooling(GlobalMaxPooling):
    """The mean of each channel; for a sequence, over its valid steps."""


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    **{
        f"{kind}Pooling{rank}D": {"pool_size": 2, "strides": None, "padding": "valid"}
        for kind in ("Max", "Average")
        for rank in (1, 2, 3)
    },
    **{
        f"Global{kind}Pooling{rank}D": {"keepdims": False}
        for kind in ("Max", "Average")
        for rank in (1, 2, 3)
    },
}
KERAS_3_DEFAULTS: dict[str, dict[str, Any]] = {  # the pool's size must be given
    f"AveragePooling{rank}D": {"strides": None, "padding": "valid"} for rank in (1, 2, 3)
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {
    **{f"MaxPool{rank}d": {"stride": None, "padding": 0, "ceil_mode": False} for rank in (1, 2, 3)},
    **{
        f"AvgPool{rank}d": {
            "stride": None,
            "padding": 0,
            "ceil_mode": False,
            "count_include_pad": True,
        }
        for rank in (1, 2, 3)
    },
}

Pooling = MaxPooling | GlobalMaxPooling


def reference(
    config: Pooling,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """The pooled input.

    Args:
        config: the layer.
        weights: none.
        x: (N, *space, C).
        mask: bool (N, T), for the mean of a sequence; None for all steps.

    Returns:
        (N, *places, C); for global pooling (N, C), with ``keepdims`` (N, 1, …, C).
    """
    if isinstance(config, MaxPooling):
        return _moving(config, x)
    axes = tuple(range(1, x.ndim - 1))
    if not isinstance(config, GlobalAveragePooling):
        return np.asarray(x.max(axes, keepdims=config.keepdims))
    if mask is None:
        return np.asarray(x.mean(axes, keepdims=config.keepdims))
    total = (x * mask[..., None]).sum(axes, keepdims=config.keepdims)
    return np.asarray(total / mask[..., None].sum(axes, keepdims=config.keepdims))


def _moving(config: MaxPooling, x: np.ndarray) -> np.ndarray:
    sizes = config.pool_size
    still = (1,) * len(sizes)
    within = tuple(range(-len(sizes), 0))

    def seen(values: np.ndarray, fill: float) -> np.ndarray:
        around = padded(values, config.padding, sizes, config.strides, still, fill)
        return windows(around, sizes, config.strides, still)

    if isinstance(config, AveragePooling):
        fill = float(config.count_include_pad)
        counted = seen(np.ones_like(x), fill).sum(within)
        return np.asarray(seen(x, 0.0).sum(within) / counted)
    return np.asarray(seen(x, -np.inf).max(within))


DIFFERENCES = (
    Difference(
        id="max_pool.same_padding",
        kind="pooling",
        title="'same' pads more at the end in Keras, equally in PyTorch",
        what="As for convolutions: if the padding is odd, Keras adds the extra entry at the bottom "
        "and right. PyTorch's padding=1 pads every side, which shifts the windows.",
        why="PyTorch's pooling layers have no 'same'. For pool size 2 with stride 2, "
        "ceil_mode=True is equivalent.",
        to_torch="F.pad(x, …, value=-inf) as in conv.same_padding, then pooling without padding",
        size=0.8,
        measured="8×8 images, pool size 3, stride 2",
        rung="forward_eval",
        source="tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2",
    ),
    Difference(
        id="max_pool.padding_value",
        kind="pooling",
        title="max pooling pads with −∞, not with 0",
        what="Where all entries of a window are negative, zero padding becomes the maximum.",
        why="The default value of F.pad is 0. After a relu the difference does not show.",
        to_torch="F.pad(x, …, value=-inf)",
        size=1,
        measured="8×8 images, pool size 3, stride 2, padded with zeros",
        rung="forward_eval",
        source="tensorflow/core/kernels/maxpooling_op.cc",
    ),
    Difference(
        id="average_pool.same_padding",
        kind="pooling",
        title="padding is excluded from the mean in Keras, included in PyTorch",
        what="Keras divides by the number of entries inside the image. nn.AvgPool2d divides by the "
        "whole window and pads equally on all sides.",
        why="count_include_pad is True by default.",
        to_torch="pad as in conv.same_padding, then divide F.avg_pool2d of x by F.avg_pool2d of "
        "ones. For pool size 2 with stride 2: ceil_mode=True, count_include_pad=False",
        size=0.9,
        measured="8×8 images, pool size 3, stride 2, padding=1",
        rung="forward_eval",
        source="tensorflow/core/kernels/avgpooling_op.cc",
    ),
    Difference(
        id="global_max_pool.tie_gradient",
        kind="pooling",
        title="equal maxima share the gradient in Keras; one receives all in PyTorch",
        what="TensorFlow splits the gradient of a maximum over axes evenly among the largest "
        "entries. x.max(dim) and nn.AdaptiveMaxPool2d assign it to one of them.",
        why="The frameworks implement the maximum differently. Ties are common after a relu, where "
        "all entries can be zero.",
        to_torch="x.amax((2, 3)), which also splits the gradient",
        size=20,
        measured="a channel of 4×4 equal entries",
        rung="gradients",
        latent=True,
        source="tensorflow/python/ops/math_grad.py (_MinOrMaxGrad)",
    ),
    Difference(
        id="global_average_pool.mask",
        kind="pooling",
        title="Keras excludes masked steps from the mean over a sequence",
        what="With a mask GlobalAveragePooling1D divides by the number of valid steps (NaN for a "
        "sequence without any). x.mean(1) includes the padding.",
        why="The mask is passed on implicitly from a Masking or Embedding layer. Conv1D, Flatten, "
        "Reshape and MaxPooling1D drop it.",
        to_torch="(x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)",
        size=0.4,
        measured="4 sequences of 2 to 5 steps",
        rung="forward_eval",
        source="keras/src/layers/pooling/global_average_pooling1d.py",
    ),
)
