"""Convolutions in one to three dimensions: plain, depthwise, separable; see also conv_transpose.

Sources: ``tf_keras/src/layers/convolutional/`` and ``keras/src/layers/convolutional/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers import activations
from parity.reference.layers.kinds import layer_kind
from parity.reference.layers.windowed.geometry import Sides, padded, windows


@layer_kind("conv", weights=("kernel", "bias"), ids={"padding": "conv.same_padding"})
@dataclass(frozen=True, kw_only=True)
class Conv:
    """A convolution with one dimension per entry of ``kernel_size``.

    ``padding`` is 'valid', 'same', 'causal' (one dimension only), or (before, after) per axis.
    """

    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str | Sides
    dilation_rate: tuple[int, ...]
    groups: int
    activation: str | None
    use_bias: bool

    @property
    def keras(self) -> str:
        """Name of Keras's class."""
        return f"Conv{len(self.kernel_size)}D"


@layer_kind("conv", weights=("depthwise_kernel", "bias"), ids={"padding": "conv.same_padding"})
@dataclass(frozen=True, kw_only=True)
class DepthwiseConv:
    """A separate convolution of each channel, with ``depth_multiplier`` outputs each."""

    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str | Sides
    dilation_rate: tuple[int, ...]
    depth_multiplier: int
    activation: str | None
    use_bias: bool

    @property
    def keras(self) -> str:
        """Name of Keras's class."""
        return f"DepthwiseConv{len(self.kernel_size)}D"


@layer_kind(
    "conv",
    weights=("depthwise_kernel", "pointwise_kernel", "bias"),
    ids={"padding": "conv.same_padding"},
)
@dataclass(frozen=True, kw_only=True)
class SeparableConv:
    """A depthwise convolution without bias, followed by a convolution of size 1."""

    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str | Sides
    dilation_rate: tuple[int, ...]
    depth_multiplier: int
    activation: str | None
    use_bias: bool

    @property
    def keras(self) -> str:
        """Name of Keras's class."""
        return f"SeparableConv{len(self.kernel_size)}D"


_USUAL = {
    "strides": 1,
    "padding": "valid",
    "dilation_rate": 1,
    "activation": None,
    "use_bias": True,
}
KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    **{f"Conv{rank}D": {**_USUAL, "groups": 1} for rank in (1, 2, 3)},
    **{f"DepthwiseConv{rank}D": {**_USUAL, "depth_multiplier": 1} for rank in (1, 2)},
    **{f"SeparableConv{rank}D": {**_USUAL, "depth_multiplier": 1} for rank in (1, 2)},
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {
    f"Conv{rank}d": {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}
    for rank in (1, 2, 3)
}


def reference(
    config: Conv | DepthwiseConv | SeparableConv,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
    flavour: str = "tf_keras",
) -> np.ndarray:
    """The convolution of x. It is a correlation: kernels are not flipped.

    Args:
        config: the layer.
        weights: kernel (*sizes, in / groups, filters), or depthwise_kernel (*sizes, in, multiplier)
            and for a separable one pointwise_kernel (1, …, in·multiplier, filters); bias (out,).
        x: (N, *space, in).
        flavour: the Keras version, for the activation.

    Returns:
        (N, *places, out); output channel c·m + i of a depthwise one is result i of input channel c.
    """
    x = padded(x, config.padding, config.kernel_size, config.strides, config.dilation_rate)
    seen = windows(x, config.kernel_size, config.strides, config.dilation_rate)
    rank = len(config.kernel_size)
    if isinstance(config, Conv):
        y = _grouped(seen, weights["kernel"], config.groups, rank)
    else:
        kernel = np.moveaxis(weights["depthwise_kernel"], -2, 0)  # (in, *sizes, multiplier)
        letters = "xyz"[:rank]
        y = np.einsum(f"...c{letters},c{letters}m->...cm", seen, kernel)
        y = y.reshape(*y.shape[:-2], -1)
        if isinstance(config, SeparableConv):
            y = y @ weights["pointwise_kernel"].reshape(y.shape[-1], -1)
    return activations.apply(config.activation, y + weights.get("bias", 0.0), flavour)


def _grouped(seen: np.ndarray, kernel: np.ndarray, groups: int, rank: int) -> np.ndarray:
    """Multiply windows (N, *places, in, *sizes) by a kernel, separately per group of channels."""
    inputs = np.split(seen, groups, axis=1 + rank)
    kernels = np.split(np.moveaxis(kernel, -2, 0), groups, axis=-1)  # (in / groups, *sizes, out)
    parts = [np.tensordot(x, k, 1 + rank) for x, k in zip(inputs, kernels, strict=True)]
    return np.concatenate(parts, -1)


_FOLDER = "keras/src/layers/convolutional/"

DIFFERENCES = (
    Difference(
        id="conv.kernel_layout",
        kind="conv",
        title="(h, w, in, out) in Keras, (out, in, h, w) in PyTorch",
        what="Keras stores kernels as HWIO, PyTorch as OIHW; with one or three dimensions "
        "likewise.",
        why="Using reshape, or transposing the wrong axes, gives the right shape and wrong numbers "
        "wherever sizes are equal.",
        to_torch="conv.weight = kernel.permute(3, 2, 0, 1)",
        to_keras="kernel = weight.permute(2, 3, 1, 0)",
        size=1,
        measured="3×3 kernel, 3 channels to 3, height and width swapped",
        rung="forward_eval",
        source=_FOLDER + "base_conv.py",
    ),
    Difference(
        id="conv.input_layout",
        kind="conv",
        title="channels-last in Keras, channels-first in PyTorch",
        what="Keras takes (N, H, W, C), PyTorch (N, C, H, W). x.reshape(N, C, H, W) has the right "
        "shape but mixes pixels and channels; permute reorders the axes correctly.",
        why="The frameworks use different native layouts. Images with one channel do not show it.",
        to_torch="x.permute(0, 3, 1, 2)",
        to_keras="x.permute(0, 2, 3, 1)",
        size=1,
        measured="8×8 images of 3 channels, reshape instead of permute",
        rung="forward_eval",
        source=_FOLDER + "base_conv.py",
    ),
    Difference(
        id="conv.same_padding",
        kind="conv",
        title="'same' with a stride pads more at the end in Keras, equally in PyTorch",
        what="TensorFlow pads so that the output has ⌈n/s⌉ entries; if the number of zeros is odd, "
        "the extra one is added at the bottom and right. PyTorch's padding=1 adds equally many on "
        "each side, which shifts every window.",
        why="PyTorch's padding='same' rejects strides, so ports write padding=k // 2. For odd n, k "
        "= 3 and s = 2 the two agree by chance. Even kernels differ without any stride.",
        to_torch="total = max((⌈n/s⌉ − 1)·s + (k − 1)·d + 1 − n, 0); F.pad with total // 2 before "
        "and the remainder after, then a convolution without padding",
        to_keras="ZeroPadding2D(k // 2), then Conv2D(padding='valid')",
        size=1,
        measured="8×8 images, 3×3 kernel, stride 2",
        rung="forward_eval",
        source="tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2",
    ),
    Difference(
        id="conv.causal_padding",
        kind="conv",
        title="padding='causal' has no counterpart in PyTorch",
        what="Keras's Conv1D adds (k − 1)·d zeros before the sequence and none after it. "
        "padding='same' centres the window, so an output sees later steps.",
        why="PyTorch lacks the option.",
        to_torch="F.pad(x, ((k − 1)·d, 0)), then a convolution without padding",
        size=1,
        measured="10 steps, kernel of 3, dilation 2, padding='same' instead of 'causal'",
        rung="forward_eval",
        source=_FOLDER + "conv1d.py",
    ),
    Difference(
        id="conv.depthwise_kernel",
        kind="conv",
        title="(h, w, in, m) in Keras, (in·m, 1, h, w) in PyTorch",
        what="The output channels of a depthwise convolution are grouped by input channel: channel "
        "c·m + i is result i of input channel c. Permuting the kernel like that of a plain "
        "convolution gives another channel order.",
        why="PyTorch has no such layer. Its equivalent, Conv2d(groups=in), stores the weight in a "
        "different layout.",
        to_torch="kernel.permute(2, 3, 0, 1).reshape(in·m, 1, h, w), groups=in",
        to_keras="weight.reshape(in, m, h, w).permute(2, 3, 0, 1)",
        size=0.9,
        measured="3×3 kernel, 3 channels with 2 results each, permuted (3, 2, 0, 1) and reshaped",
        rung="forward_eval",
        source=_FOLDER + "base_depthwise_conv.py",
    ),
)
