"""Dropout and noise.

Sources: Srivastava et al., "Dropout", 2014; Klambauer et al., "Self-normalizing neural networks",
2017; ``tf_keras/src/layers/regularization/`` and ``keras/src/layers/regularization/``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.activations import SELU_LIMIT


@dataclass(frozen=True, kw_only=True)
class Dropout:
    """Drops a share of all entries."""

    keras: ClassVar[str] = "Dropout"
    rate: float


@dataclass(frozen=True, kw_only=True)
class SpatialDropout1D(Dropout):
    """Drops whole channels of sequences."""

    keras: ClassVar[str] = "SpatialDropout1D"


@dataclass(frozen=True, kw_only=True)
class SpatialDropout2D(Dropout):
    """Drops whole channels of images."""

    keras: ClassVar[str] = "SpatialDropout2D"


@dataclass(frozen=True, kw_only=True)
class SpatialDropout3D(Dropout):
    """Drops whole channels of volumes."""

    keras: ClassVar[str] = "SpatialDropout3D"


@dataclass(frozen=True, kw_only=True)
class GaussianDropout(Dropout):
    """Multiplies by normal numbers around 1."""

    keras: ClassVar[str] = "GaussianDropout"


@dataclass(frozen=True, kw_only=True)
class AlphaDropout(Dropout):
    """Replaces entries by SELU's lower limit, and keeps mean and variance."""

    keras: ClassVar[str] = "AlphaDropout"


@dataclass(frozen=True, kw_only=True)
class SpatialAlphaDropout(AlphaDropout):
    """Alpha dropout of whole channels, as ``noise_shape`` says it in Keras."""


@dataclass(frozen=True, kw_only=True)
class GaussianNoise:
    """Adds normal numbers."""

    keras: ClassVar[str] = "GaussianNoise"
    stddev: float


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "Dropout": {"noise_shape": None, "seed": None},
    "AlphaDropout": {"noise_shape": None, "seed": None},
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {"Dropout": {"p": 0.5}, "AlphaDropout": {"p": 0.5}}


def reference(
    config: Dropout | GaussianNoise,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
    drawn: np.ndarray | None = None,
) -> np.ndarray:
    """The layer in training; in evaluation, without ``drawn``, x itself.

    Args:
        config: the layer.
        weights: none.
        x: (N, …).
        drawn: what was drawn, of a shape that broadcasts to x's: bool, true where an entry is kept
            (spatial: (N, 1, 1, C)), or standard normal numbers for the Gaussian ones.
    """
    if drawn is None:
        return x
    if isinstance(config, GaussianNoise):
        return x + config.stddev * drawn
    rate = config.rate
    if isinstance(config, GaussianDropout):
        return x * (1.0 + drawn * math.sqrt(rate / (1.0 - rate)))
    if isinstance(config, AlphaDropout):
        a = 1.0 / math.sqrt((1.0 - rate) * (1.0 + rate * SELU_LIMIT**2))
        return a * np.where(drawn, x, SELU_LIMIT) - a * SELU_LIMIT * rate
    return np.asarray(x * drawn / (1.0 - rate))


DIFFERENCES = (
    Difference(
        id="dropout.masks",
        kind="dropout",
        title="equal seeds draw different masks",
        what="Both scale what is kept by 1/(1 − rate) in training and do nothing in evaluation, "
        "but no seed makes them drop the same entries. Keras's masks differ even between "
        "float32 and float64.",
        why="Different generators. Training can only be compared with masks from outside.",
        to_torch="x * keep / (1 − rate) in both, keep drawn once (by NumPy, say)",
        size=1,
        measured="100 standard normal vectors of 5, rate ½, seed 0 in both",
        rung="forward_train",
        latent=True,
        source="keras/src/layers/regularization/dropout.py",
    ),
    Difference(
        id="dropout.spatial",
        kind="dropout",
        title="SpatialDropout drops channels, nn.Dropout entries",
        what="SpatialDropout2D keeps or drops a channel of an image as a whole, as nn.Dropout2d "
        "does.",
        why="Ported by the name's second half.",
        to_torch="nn.Dropout2d, with a shared mask of shape (N, C, 1, 1)",
        to_keras="SpatialDropout2D",
        size=1,
        measured="4×4 images of 3 channels, rate ½",
        rung="forward_train",
        latent=True,
        source="keras/src/layers/regularization/spatial_dropout.py",
    ),
    Difference(
        id="dropout.gaussian",
        kind="dropout",
        title="GaussianDropout and GaussianNoise have no counterpart in PyTorch",
        what="x·(1 + z·√(r/(1 − r))) and x + σ·z with standard normal z, in training. nn.Dropout "
        "of the same rate has the same mean and variance, but other numbers.",
        why="PyTorch lacks them.",
        to_torch="the formula, with z drawn once for both",
        size=1,
        measured="100 standard normal vectors of 5, rate ½, against nn.Dropout",
        rung="forward_train",
        latent=True,
        source="keras/src/layers/regularization/gaussian_dropout.py",
    ),
    Difference(
        id="dropout.rate_one",
        kind="dropout",
        title="Keras 2 cannot drop everything",
        what="A rate of 1 makes zeros in PyTorch and in Keras 3. Keras 2 takes the rate and raises "
        "at the first call in training.",
        why="tf.nn.dropout divides by 1 − rate. Searches over rates meet it.",
        to_torch="nothing to do: no Keras 2 model trains with this rate",
        to_keras="multiply by zero in its stead",
        size=math.inf,
        measured="Dropout(1.0) in training, on vectors of 5",
        rung="forward_train",
        latent=True,
        flavours=("tf_keras",),
        source="tf_keras/src/layers/regularization/dropout.py",
    ),
)
