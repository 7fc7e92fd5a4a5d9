"""Root mean square normalization; Keras 2 does not have it.

Sources: Zhang and Sennrich, "Root mean square layer normalization", 2019;
``keras/src/layers/normalization/rms_normalization.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import layer_kind


@layer_kind("rms_norm", weights=("scale",), family="normalization")
@dataclass(frozen=True, kw_only=True)
class RMSNorm:
    """Division of each example by its root mean square over the given axes."""

    keras: ClassVar[str] = "RMSNormalization"
    axis: int | tuple[int, ...]
    epsilon: float


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {}
KERAS_3_DEFAULTS: dict[str, dict[str, Any]] = {"RMSNormalization": {"axis": -1, "epsilon": 1e-6}}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {"RMSNorm": {"eps": None, "elementwise_affine": True}}


def reference(config: RMSNorm, weights: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """scale·x/√(mean(x²) + ε).

    Args:
        config: the layer.
        weights: scale of the normalized axes' shape; none in PyTorch without
            ``elementwise_affine``.
        x: (N, …).

    Returns:
        x's shape.
    """
    axes = (config.axis,) if isinstance(config.axis, int) else config.axis
    axes = tuple(sorted(axis % x.ndim for axis in axes))
    scale = weights.get("scale", np.ones(1))
    if scale.size > 1:
        scale = scale.reshape([size if axis in axes else 1 for axis, size in enumerate(x.shape)])
    return np.asarray(x / np.sqrt((x**2).mean(axes, keepdims=True) + config.epsilon) * scale)


DIFFERENCES = (
    Difference(
        id="rms_norm.epsilon",
        kind="rms_norm",
        title="1e-6 in Keras, the machine epsilon of the dtype in PyTorch",
        what="Both add ε to the mean of the squares under the root. Keras's default is 1e-6. "
        "PyTorch's default, None, is 1.2e-7 in float32 and 2.2e-16 in float64.",
        why="Each framework chose its own default. It matters most for inputs close to zero.",
        to_torch="nn.RMSNorm(units, eps=1e-6)",
        to_keras="RMSNormalization(epsilon=1.1920929e-7), PyTorch's value in float32",
        size=0.2,
        measured="6 normal vectors of 5, times 0.003",
        rung="forward_eval",
        flavours=("keras3",),
        source="keras/src/layers/normalization/rms_normalization.py",
    ),
)
