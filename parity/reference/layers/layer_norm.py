"""Layer and group normalisation.

Sources: Ba et al., "Layer normalization", 2016; Wu and He, "Group normalization", 2018;
``tf_keras/src/layers/normalization/`` and ``keras/src/layers/normalization/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import layer_kind


@layer_kind(
    "layer_norm",
    weights=("gamma", "beta"),
    ids={"axis": "layer_norm.axes"},
    family="normalization",
)
@dataclass(frozen=True, kw_only=True)
class LayerNorm:
    """Normalisation of each example over the given axes."""

    keras: ClassVar[str] = "LayerNormalization"
    axis: int | tuple[int, ...]
    epsilon: float
    center: bool
    scale: bool


@layer_kind(
    "group_norm",
    weights=("gamma", "beta", "moving_mean", "moving_variance"),
    ids={"track_running_stats": "group_norm.running_statistics"},
    family="normalization",
)
@dataclass(frozen=True, kw_only=True)
class GroupNorm:
    """Normalisation of each example and each group of neighbouring channels (last axis).

    With a group for each channel it is PyTorch's InstanceNorm, which alone can evaluate with
    running statistics (``track_running_stats``).
    """

    keras: ClassVar[str] = "GroupNormalization"
    groups: int
    epsilon: float
    center: bool
    scale: bool
    track_running_stats: bool = False


_USUAL = {"epsilon": 1e-3, "center": True, "scale": True}
KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "LayerNormalization": {**_USUAL, "axis": -1},
    "GroupNormalization": {**_USUAL, "axis": -1, "groups": 32},
}
_OF_INSTANCES = {"eps": 1e-5, "affine": False, "track_running_stats": False}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {
    "LayerNorm": {"eps": 1e-5, "elementwise_affine": True, "bias": True},
    "GroupNorm": {"eps": 1e-5, "affine": True},
    "InstanceNorm1d": _OF_INSTANCES,
    "InstanceNorm2d": _OF_INSTANCES,
    "InstanceNorm3d": _OF_INSTANCES,
}


def reference(
    config: LayerNorm | GroupNorm, weights: Mapping[str, np.ndarray], x: np.ndarray
) -> np.ndarray:
    """γ·(x − mean)/√(variance + ε) + β, variance biased.

    Args:
        config: the layer.
        weights: gamma and beta if used: of the normalised axes' shape, for groups (C,); with
            ``track_running_stats`` also moving_mean and moving_variance (C,).
        x: (N, …, C).
    """
    gamma, beta = weights.get("gamma", np.ones(1)), weights.get("beta", np.zeros(1))
    if isinstance(config, GroupNorm) and config.track_running_stats:
        scale = np.sqrt(weights["moving_variance"] + config.epsilon)
        return np.asarray((x - weights["moving_mean"]) / scale * gamma + beta)
    if isinstance(config, GroupNorm):
        grouped = x.reshape(len(x), -1, config.groups, x.shape[-1] // config.groups)
        normed = _normed(grouped, (1, 3), config.epsilon).reshape(x.shape)
        return np.asarray(normed * gamma + beta)
    axes = (config.axis,) if isinstance(config.axis, int) else config.axis
    axes = tuple(sorted(axis % x.ndim for axis in axes))
    shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
    if gamma.size > 1:
        gamma = gamma.reshape(shape)
    if beta.size > 1:
        beta = beta.reshape(shape)
    return np.asarray(_normed(x, axes, config.epsilon) * gamma + beta)


def _normed(x: np.ndarray, axes: tuple[int, ...], epsilon: float) -> np.ndarray:
    away = x - x.mean(axes, keepdims=True)
    return np.asarray(away / np.sqrt((away**2).mean(axes, keepdims=True) + epsilon))


DIFFERENCES = (
    Difference(
        id="layer_norm.epsilon",
        kind="layer_norm",
        title="1e-3 in Keras, 1e-5 in PyTorch",
        what="Both add ε to the variance before taking the root; the defaults are 1e-3 and 1e-5.",
        why="Each framework chose its own default. Inputs with a small variance show it most.",
        to_torch="nn.LayerNorm(units, eps=1e-3)",
        to_keras="LayerNormalization(epsilon=1e-5)",
        size=0.003,
        measured="6 standard normal vectors of 5",
        rung="forward_eval",
        source="keras/src/layers/normalization/layer_normalization.py",
    ),
    Difference(
        id="layer_norm.axes",
        kind="layer_norm",
        title="the last axis in Keras, all given axes in PyTorch",
        what="LayerNormalization() on images normalises the channels of each pixel. "
        "nn.LayerNorm([C, H, W]) normalises the whole image.",
        why="PyTorch requires a shape, and ports pass the shape of the whole input.",
        to_torch="nn.LayerNorm(C) on channels-last input: permute before and after",
        to_keras="LayerNormalization(axis=[1, 2, 3])",
        size=1,
        measured="4×4 images of 3 channels, γ = 1 and β = 0",
        rung="forward_eval",
        source="keras/src/layers/normalization/layer_normalization.py",
    ),
    Difference(
        id="group_norm.epsilon",
        kind="layer_norm",
        title="1e-3 in Keras, 1e-5 in PyTorch",
        what="Both add ε to the variance before taking the root; the defaults are 1e-3 and 1e-5.",
        why="Each framework chose its own default.",
        to_torch="nn.GroupNorm(groups, channels, eps=1e-3)",
        to_keras="GroupNormalization(epsilon=1e-5)",
        size=0.0005,
        measured="4×4 images of 4 channels in 2 groups",
        rung="forward_eval",
        source="keras/src/layers/normalization/group_normalization.py",
    ),
    Difference(
        id="group_norm.running_statistics",
        kind="layer_norm",
        title="InstanceNorm can evaluate with running statistics, Keras cannot",
        what="With track_running_stats=True, nn.InstanceNorm2d normalises by running statistics in "
        "evaluation. GroupNormalization(groups=-1) always uses those of the example.",
        why="The option comes from PyTorch's shared base class with batch norm. Training is the "
        "same in both.",
        to_torch="nn.InstanceNorm2d(channels, eps=1e-3, affine=True)",
        size=0.2,
        measured="4×4 images of 4 channels, running mean 0 and variance 1 (their initial values)",
        rung="forward_eval",
        source="torch/nn/modules/instancenorm.py",
    ),
    Difference(
        id="group_norm.gamma",
        kind="layer_norm",
        title="InstanceNorm has no scale and shift by default",
        what="nn.InstanceNorm2d has affine=False. GroupNormalization(groups=-1) has γ and β.",
        why="PyTorch's other normalisation layers do have them by default.",
        to_torch="nn.InstanceNorm2d(channels, eps=1e-3, affine=True)",
        to_keras="GroupNormalization(groups=-1, epsilon=1e-5, center=False, scale=False)",
        size=2,
        measured="4×4 images of 4 channels",
        rung="forward_eval",
        source="torch/nn/modules/instancenorm.py",
        aliases=("group_norm.beta",),
    ),
)
