"""Activation functions, by Keras's names.

Sources: ``tf_keras/src/activations.py``, ``tf_keras/src/backend.py``,
``keras/src/activations/activations.py``, ``tensorflow/python/ops/nn_ops.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.constants import as_float32
from parity.reference.difference import Difference
from parity.reference.layers.kinds import layer_kind

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
SELU_LIMIT = -SELU_ALPHA * SELU_SCALE
"""SELU's limit for very negative inputs; alpha dropout replaces dropped entries by it."""


@layer_kind("activation", family="activation")
@dataclass(frozen=True, kw_only=True)
class Activation:
    """An activation function without settings."""

    keras: ClassVar[str] = "Activation"
    activation: str


@layer_kind(
    "leaky_relu",
    ids={"negative_slope": "leaky_relu.slope", "max_value": "relu.max_value"},
    family="activation",
)
@dataclass(frozen=True, kw_only=True)
class ReLU:
    """max(x, 0), at most ``max_value``, or ``negative_slope``·x below 0 (also LeakyReLU)."""

    keras: ClassVar[str] = "ReLU"
    max_value: float | None
    negative_slope: float


@layer_kind("elu", family="activation")
@dataclass(frozen=True, kw_only=True)
class ELU:
    """X if positive, otherwise ``alpha``·(eˣ − 1)."""

    keras: ClassVar[str] = "ELU"
    alpha: float


@layer_kind("prelu", weights=("alpha",))
@dataclass(frozen=True, kw_only=True)
class PReLU:
    """X if positive, otherwise x times a trained slope."""

    keras: ClassVar[str] = "PReLU"


@layer_kind("softmax", family="activation")
@dataclass(frozen=True, kw_only=True)
class Softmax:
    """The softmax along an axis, counted from the end."""

    keras: ClassVar[str] = "Softmax"
    axis: int


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "LeakyReLU": {"alpha": 0.3},
    "ELU": {"alpha": 1.0},
    "PReLU": {"alpha_initializer": "zeros", "shared_axes": None},
    "Softmax": {"axis": -1},
}
KERAS_3_DEFAULTS: dict[str, dict[str, Any]] = {
    "LeakyReLU": {"negative_slope": 0.3},
    "PReLU": {"alpha_initializer": "Zeros", "shared_axes": None},
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {
    "LeakyReLU": {"negative_slope": 0.01},
    "ELU": {"alpha": 1.0},
    "PReLU": {"num_parameters": 1, "init": 0.25},
    "GELU": {"approximate": "none"},
    "Softplus": {"beta": 1.0, "threshold": 20.0},
    "Softmax": {"dim": None},
}


def reference(
    config: Activation | ReLU | ELU | PReLU | Softmax,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
    flavour: str = "tf_keras",
) -> np.ndarray:
    """The activation of x: elementwise, except softmax, which runs along an axis.

    Args:
        config: the layer.
        weights: none; for PReLU alpha, of a shape that broadcasts to x's.
        x: of any shape.
        flavour: ``tf_keras``, ``keras3`` or ``torch``, which differ for example in hard sigmoid and
            GELU.
    """
    if isinstance(config, ReLU):
        y = np.where(x > 0.0, x, config.negative_slope * x)
        return y if config.max_value is None else np.minimum(y, config.max_value)
    if isinstance(config, ELU):
        return np.where(x > 0.0, x, config.alpha * np.expm1(np.minimum(x, 0.0)))
    if isinstance(config, PReLU):
        return np.where(x > 0.0, x, weights["alpha"] * x)
    if isinstance(config, Softmax):
        return softmax(x, config.axis)
    return apply(config.activation, x, flavour)


def apply(name: str | None, x: np.ndarray, flavour: str = "tf_keras") -> np.ndarray:
    """The activation of x by its name; None for no activation.

    Raises:
        ValueError: unknown name.
    """
    if name == "gelu" and flavour == "torch":
        return _gelu(x, math.sqrt(0.5))
    if name == "gelu_tanh" and flavour == "torch":
        return _gelu_tanh(x, 0.044715)
    if name == "softplus" and flavour == "torch":
        return np.where(x > 20.0, x, np.logaddexp(0.0, x))
    if name == "hard_sigmoid":
        slope = 0.2 if flavour == "tf_keras" else 1 / 6
        return np.clip(slope * x + 0.5, 0.0, 1.0)
    if name == "hard_swish":  # in PyTorch and Keras 3, also named hard_silu
        return np.asarray(x * np.clip(x / 6 + 0.5, 0.0, 1.0))
    if name not in FORMULAS:
        known = ", ".join(filter(None, FORMULAS))
        raise ValueError(f"activation: received {name!r}, accepted: {known}, hard_sigmoid")
    return np.asarray(FORMULAS[name](x))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1/(1 + e⁻ˣ), without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -x)))


def _log_softmax(x: np.ndarray) -> np.ndarray:
    away = x - x.max(-1, keepdims=True)
    return np.asarray(away - np.log(np.exp(away).sum(-1, keepdims=True)))


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """eˣ/Σeˣ along an axis."""
    powers = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis, keepdims=True))


def _gelu(x: np.ndarray, factor: float = as_float32(math.sqrt(0.5))) -> np.ndarray:
    from scipy.special import erfc  # imported here because it is slow

    return np.asarray(0.5 * x * erfc(-x * factor))


def _gelu_tanh(x: np.ndarray, factor: float = as_float32(0.044715)) -> np.ndarray:
    inner = math.sqrt(2.0 / math.pi) * (x + factor * x**3)
    return np.asarray(0.5 * x * (1.0 + np.tanh(inner)))


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0.0)))


def _selu(x: np.ndarray) -> np.ndarray:
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0.0)))


ROUNDED = ("gelu", "gelu_tanh")
"""Activations that differ only in constants that Keras rounds to float32."""

FORMULAS: dict[str | None, Callable[[np.ndarray], np.ndarray]] = {
    None: lambda x: x,
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "swish": lambda x: x * sigmoid(x),
    "softplus": lambda x: np.logaddexp(0.0, x),
    "softsign": lambda x: x / (1.0 + np.abs(x)),
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "exponential": np.exp,
    "mish": lambda x: x * np.tanh(np.logaddexp(0.0, x)),
    "softmax": softmax,
    "log_softmax": _log_softmax,
}

DIFFERENCES = (
    Difference(
        id="leaky_relu.slope",
        kind="activations",
        title="slope 0.3 in Keras's layer, 0.2 in Keras 3's function, 0.01 in PyTorch",
        what="Negative inputs are multiplied by 0.3 in the layer LeakyReLU, by 0.2 in "
        "keras.activations.leaky_relu (also under the name 'leaky_relu'), and by 0.01 in "
        "nn.LeakyReLU.",
        why="Each chose its own default.",
        to_torch="nn.LeakyReLU(0.3); to agree in float64, round the slope to float32 (see "
        "leaky_relu.float32_slope)",
        to_keras="LeakyReLU(0.01)",
        size=0.4,
        measured="500 standard normal numbers",
        rung="forward_eval",
        source="keras/src/layers/activations/leaky_relu.py",
    ),
    Difference(
        id="leaky_relu.float32_slope",
        kind="activations",
        title="the slope is rounded to float32, even in a float64 model",
        what="0.3 becomes 0.30000001192… in every dtype: TensorFlow stores the slope in a 32-bit "
        "attribute.",
        why="Float attributes of TensorFlow operations are float32.",
        to_torch="nn.LeakyReLU(float(np.float32(0.3))); needed in float64 only",
        size=2e-08,
        measured="500 standard normal numbers",
        rung="forward_eval",
        source="tensorflow/core/ops/nn_ops.cc (LeakyRelu)",
    ),
    Difference(
        id="gelu.float32_constant",
        kind="activations",
        title="√½ is rounded to float32, even in a float64 model",
        what="Keras computes ½·x·erfc(−x·√½) with √½ rounded to float32. nn.GELU uses the "
        "full-precision constant.",
        why="tf.nn.gelu converts a Python float to float32. The effect is smaller than float32 "
        "rounding.",
        to_torch="0.5 * x * torch.erfc(-x * float(np.float32(0.5**0.5)))",
        size=2e-09,
        measured="500 standard normal numbers",
        rung="forward_eval",
        source="tensorflow/python/ops/nn_ops.py (gelu)",
    ),
    Difference(
        id="gelu.approximate",
        kind="activations",
        title="one name for two formulas",
        what="Both frameworks use the exact formula (erf) by default. The tanh formula "
        "(approximate=True in Keras, 'tanh' in PyTorch) is a different function; much published "
        "code calls it GELU.",
        why="Ports copy the formula from a paper's code instead of the flag.",
        to_torch="use the same formula: nn.GELU('tanh') only where Keras has approximate=True",
        size=0.0002,
        measured="500 standard normal numbers, the tanh formula instead of the exact one",
        rung="forward_eval",
        source="keras/src/activations/activations.py (gelu)",
    ),
    Difference(
        id="softplus.threshold",
        kind="activations",
        title="PyTorch is linear above 20",
        what="Keras computes log(1 + eˣ) for every x; nn.Softplus returns x itself above 20.",
        why="PyTorch avoids overflow with a threshold chosen for float32.",
        to_torch="nn.Softplus(threshold=40)",
        size=5e-11,
        measured="inputs from −5 to 25 in steps of ½",
        rung="forward_eval",
        source="torch/nn/modules/activation.py (Softplus)",
    ),
    Difference(
        id="hard_sigmoid.slope",
        kind="activations",
        title="0.2·x + ½ in Keras 2, x/6 + ½ in PyTorch and Keras 3",
        what="Both clip the result to 0…1, but the slopes are 0.2 and 1/6.",
        why="Keras 3 changed the formula. Old recurrent layers use it as recurrent_activation.",
        to_torch="(0.2 * x + 0.5).clamp(0, 1)",
        to_keras="keras.layers.Lambda(lambda x: tf.clip_by_value(x / 6 + 0.5, 0, 1))",
        size=0.08,
        measured="500 standard normal numbers times 3",
        rung="forward_eval",
        flavours=("tf_keras",),
        source="tf_keras/src/backend.py (hard_sigmoid)",
    ),
    Difference(
        id="softmax.axis",
        kind="activations",
        title="the last axis in Keras, often another one in PyTorch",
        what="Keras's default axis is the last. nn.Softmax() without dim uses axis 0 for inputs "
        "with one or three axes and axis 1 otherwise, and warns.",
        why="PyTorch keeps an old default for compatibility.",
        to_torch="nn.Softmax(dim=-1)",
        size=0.8,
        measured="4 sequences of 5 steps of 6 classes",
        rung="forward_eval",
        source="torch/nn/functional.py (_get_softmax_dim)",
    ),
    Difference(
        id="prelu.parameters",
        kind="activations",
        title="one slope per entry, starting at 0, in Keras; one slope of 0.25 in PyTorch",
        what="Keras trains a slope for each entry of an example, starting at zero. nn.PReLU trains "
        "one slope for all entries, or one per channel, starting at 0.25.",
        why="Each chose its own default; shared_axes makes Keras share slopes.",
        to_torch="a parameter alpha of the example's shape, and torch.where(x > 0, x, alpha * x)",
        to_keras="PReLU(alpha_initializer=Constant(0.25), shared_axes=[1, 2]) for images",
        size=0.4,
        measured="untrained layers, 8 examples of 5 standard normal numbers",
        rung="parameters",
        source="keras/src/layers/activations/prelu.py",
    ),
    Difference(
        id="selu.gradient_at_zero",
        kind="activations",
        title="at exactly 0 Keras uses the right derivative, PyTorch the left one",
        what="SELU's derivative jumps at 0 from 1.76 to 1.05. TensorFlow returns 1.05 there (y = 0 "
        "counts as positive), PyTorch 1.76.",
        why="The comparison with zero includes equality in only one framework. Exact zeros occur "
        "after zero padding and relu.",
        to_torch="torch.where(x >= 0, …) with the two branches written out",
        size=0.7,
        measured="gradient at 0",
        rung="gradients",
        latent=True,
        source="tensorflow/core/kernels/relu_op_functor.h (SeluGrad)",
    ),
    Difference(
        id="maximum.gradient_at_zero",
        kind="activations",
        title="maximum(x, 0) has gradient 1 at x = 0 in Keras, ½ in PyTorch",
        what="At x = 0 TensorFlow assigns the whole gradient to the first argument, torch.maximum "
        "half of it. The relu function of both frameworks has gradient 0 there.",
        why="The two handle ties differently. It occurs where relu is written as a maximum, and in "
        "hinge losses.",
        to_torch="torch.where(x >= 0, x, 0), or relu in both",
        size=0.5,
        measured="gradient at 0",
        rung="gradients",
        latent=True,
        source="tensorflow/python/ops/math_grad.py (_MaximumMinimumGrad)",
    ),
)
