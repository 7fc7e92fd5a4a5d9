"""Dense layers.

Sources: ``tf_keras/src/layers/core/dense.py`` and ``keras/src/layers/core/dense.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers import activations
from parity.reference.layers.kinds import layer_kind


@layer_kind("dense", weights=("kernel", "bias"))
@dataclass(frozen=True, kw_only=True)
class Dense:
    """A matrix product along the last axis."""

    keras: ClassVar[str] = "Dense"
    units: int
    activation: str | None
    use_bias: bool


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "Dense": {
        "activation": None,
        "use_bias": True,
        "kernel_initializer": "glorot_uniform",
        "bias_initializer": "zeros",
    }
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {"Linear": {"bias": True}}


def reference(
    config: Dense, weights: Mapping[str, np.ndarray], x: np.ndarray, flavour: str = "tf_keras"
) -> np.ndarray:
    """activation(x·kernel + bias).

    Args:
        config: the layer.
        weights: kernel (in, units), bias (units,).
        x: (…, in).
        flavour: the Keras version, for the activation.

    Returns:
        (…, units).
    """
    y = x @ weights["kernel"] + weights.get("bias", 0.0)
    return activations.apply(config.activation, y, flavour)


_FILE = "keras/src/layers/core/dense.py"

DIFFERENCES = (
    Difference(
        id="dense.kernel_layout",
        kind="dense",
        title="(in, out) in Keras, (out, in) in PyTorch",
        what="Keras computes x·K with K (in, out), nn.Linear x·Wᵀ with W (out, in).",
        why="A square kernel that was not transposed loads without an error.",
        to_torch="linear.weight = kernel.T",
        size=0.9,
        measured="5 inputs, 5 units",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="dense.initializers",
        kind="dense",
        title="bias 0 in Keras, random in PyTorch; kernels drawn from other ranges",
        what="Keras draws kernels from ±√(6/(in + out)) (glorot_uniform) and starts biases at "
        "zero. PyTorch draws weight and bias from ±√(1/in). The same holds for convolutions.",
        why="Each framework chose its own default. The two frameworks never draw the same numbers "
        "from the same seed.",
        to_torch="copy the initial weights, or nn.init.xavier_uniform_ and nn.init.zeros_",
        size=0.4,
        measured="biases of untrained layers, 5 inputs and 5 units",
        rung="parameters",
        latent=True,
        source="torch/nn/modules/linear.py (reset_parameters)",
    ),
    Difference(
        id="dense.activation",
        kind="dense",
        title="Dense can include an activation, nn.Linear cannot",
        what="Dense(8, activation='relu') is a matrix product followed by relu. A port that copies "
        "only its weights omits the relu.",
        why="Keras's summary() does not show activations.",
        to_torch="add a separate module after nn.Linear: nn.ReLU()",
        size=0.8,
        measured="5 inputs, 5 units, relu",
        rung="forward_eval",
        source=_FILE,
    ),
)
