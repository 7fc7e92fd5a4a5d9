"""Transposed convolutions.

Sources: ``tf_keras/src/layers/convolutional/conv2d_transpose.py`` and
``keras/src/layers/convolutional/base_conv_transpose.py``.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers import activations
from parity.reference.layers.kinds import layer_kind
from parity.reference.layers.windowed.geometry import Sides


@layer_kind(
    "conv_transpose",
    weights=("kernel", "bias"),
    ids={"padding": "conv_transpose.same_padding"},
)
@dataclass(frozen=True, kw_only=True)
class ConvTranspose:
    """A transposed convolution without dilation.

    ``padding`` is 'valid', 'same', or the number of entries (before, after) to crop from each axis
    of the full result; negative numbers add zeros.
    """

    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str | Sides
    activation: str | None
    use_bias: bool

    @property
    def keras(self) -> str:
        """Name of Keras's class."""
        return f"Conv{len(self.kernel_size)}DTranspose"


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    f"Conv{rank}DTranspose": {
        "strides": 1,
        "padding": "valid",
        "output_padding": None,
        "activation": None,
        "use_bias": True,
    }
    for rank in (1, 2, 3)
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {
    f"ConvTranspose{rank}d": {"stride": 1, "padding": 0, "output_padding": 0, "bias": True}
    for rank in (1, 2, 3)
}


def reference(
    config: ConvTranspose,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
    flavour: str = "tf_keras",
) -> np.ndarray:
    """The transposed convolution of x; 'same' crops the result to n·s.

    Args:
        config: the layer.
        weights: kernel (*sizes, filters, in), bias (filters,).
        x: (N, *space, in).
        flavour: the Keras version, for the activation.

    Returns:
        (N, *places, filters), with n·s places along an axis, plus max(k − s, 0) for 'valid'.
    """
    sizes, steps = config.kernel_size, config.strides
    shape = [(n - 1) * s + k for n, k, s in zip(x.shape[1:-1], sizes, steps, strict=True)]
    y = np.zeros((len(x), *shape, config.filters))
    for place in itertools.product(*map(range, sizes)):
        reached = tuple(
            slice(begin, begin + (n - 1) * s + 1, s)
            for begin, n, s in zip(place, x.shape[1:-1], steps, strict=True)
        )
        y[(slice(None), *reached)] += x @ weights["kernel"][place].T
    cut = sides(config)
    y = np.pad(y, ((0, 0), *(tuple(max(-one, 0) for one in ends) for ends in cut), (0, 0)))
    kept = tuple(
        slice(max(before, 0), size - max(after, 0))
        for size, (before, after) in zip(y.shape[1:-1], cut, strict=True)
    )
    y = y[(slice(None), *kept)]
    return activations.apply(config.activation, y + weights.get("bias", 0.0), flavour)


def sides(config: ConvTranspose) -> Sides:
    """The padding in numbers: entries to crop (before, after) each axis."""
    if not isinstance(config.padding, str):
        return config.padding
    found = []
    for k, s in zip(config.kernel_size, config.strides, strict=True):
        same = config.padding == "same"
        total, before = (k - s, max(k - s, 0) // 2) if same else (-max(s - k, 0), 0)
        found.append((before, total - before))
    return tuple(found)


_FILE = "keras/src/layers/convolutional/base_conv_transpose.py"

DIFFERENCES = (
    Difference(
        id="conv_transpose.kernel_layout",
        kind="conv",
        title="(h, w, out, in) in Keras, (in, out, h, w) in PyTorch",
        what="In Keras a transposed convolution's kernel has the output channels before the input "
        "channels; in PyTorch the input channels come first. Both layouts differ from those of a "
        "plain convolution.",
        why="Each framework keeps the layout of the convolution that is transposed.",
        to_torch="weight = kernel.permute(3, 2, 0, 1), the same permutation as for a plain "
        "convolution",
        to_keras="kernel = weight.permute(2, 3, 1, 0)",
        size=1,
        measured="3×3 kernel, 3 channels to 3, permuted (2, 3, 0, 1)",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="conv_transpose.same_padding",
        kind="conv",
        title="'same' crops less at the start than padding=1, output_padding=1",
        what="Keras computes the full result and crops it to n·s entries: (k − s) // 2 at the "
        "start and the remainder at the end. The usual padding=1, output_padding=1 gives the same "
        "length but crops one entry more at the start.",
        why="The transposed form of conv.same_padding.",
        to_torch="padding=0, then y[..., low : low + n·s] with low = max(k − s, 0) // 2",
        size=0.9,
        measured="5×5 images, 3×3 kernel, stride 2",
        rung="forward_eval",
        source="keras/src/backend/common/backend_utils.py",
    ),
)
