"""Dropout and noise layers.

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
from parity.reference.layers.kinds import layer_kind


@layer_kind("dropout", family="dropout")
@dataclass(frozen=True, kw_only=True)
class Dropout:
    """Drops a share of all entries."""

    keras: ClassVar[str] = "Dropout"
    rate: float


@layer_kind("dropout", family="dropout")
@dataclass(frozen=True, kw_only=True)
class SpatialDropout1D(Dropout):
    """Drops whole channels of sequences."""

    keras: ClassVar[str] = "SpatialDropout1D"


@layer_kind("dropout", family="dropout")
@dataclass(frozen=True, kw_only=True)
class SpatialDropout2D(Dropout):
    """Drops whole channels of images."""

    keras: ClassVar[str] = "SpatialDropout2D"


@layer_kind("dropout", family="dropout")
@dataclass(frozen=True, kw_only=True)
class SpatialDropout3D(Dropout):
    """Drops whole channels of volumes."""

    keras: ClassVar[str] = "SpatialDropout3D"


@layer_kind("dropout", family="dropout")
@dataclass(frozen=True, kw_only=True)
class GaussianDropout(Dropout):
    """Multiplies entries by normal numbers with mean 1."""

    keras: ClassVar[str] = "GaussianDropout"


@layer_kind("dropout", family="dropout")
@dataclass(frozen=True, kw_only=True)
class AlphaDropout(Dropout):
    """Replaces entries by SELU's lower limit and preserves mean and variance."""

    keras: ClassVar[str] = "AlphaDropout"


@layer_kind("dropout", family="dropout")
@dataclass(frozen=True, kw_only=True)
class SpatialAlphaDropout(AlphaDropout):
    """Alpha dropout of whole channels (``noise_shape`` in Keras)."""


@layer_kind("noise", family="dropout")
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
    """The layer's output in training; x itself in evaluation, when ``drawn`` is None.

    Args:
        config: the layer.
        weights: none.
        x: (N, …).
        drawn: the random draws, of a shape that broadcasts to x's: bool, true where an entry is
            kept (spatial: (N, 1, 1, C)), or standard normal numbers for the Gaussian layers.
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
        what="Both scale the kept entries by 1/(1 − rate) in training and do nothing in "
        "evaluation, but no seed makes them drop the same entries. Keras's masks even differ "
        "between float32 and float64.",
        why="The frameworks use different random generators. Training can be compared only with "
        "masks supplied to both.",
        to_torch="x * keep / (1 − rate) in both, with keep drawn once (for example by NumPy)",
        size=1,
        measured="100 standard normal vectors of 5, rate ½, seed 0 in both",
        rung="forward_train",
        latent=True,
        source="keras/src/layers/regularization/dropout.py",
    ),
    Difference(
        id="dropout.spatial",
        kind="dropout",
        title="SpatialDropout drops whole channels, nn.Dropout single entries",
        what="SpatialDropout2D drops or keeps each channel of an image as a whole, as nn.Dropout2d "
        "does.",
        why="Ports look at the second half of the name.",
        to_torch="nn.Dropout2d; to compare training, a shared mask of shape (N, C, 1, 1)",
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
        what="GaussianDropout computes x·(1 + z·√(r/(1 − r))) and GaussianNoise x + σ·z in "
        "training, with standard normal z. nn.Dropout with the same rate has the same mean and "
        "variance but gives different values.",
        why="PyTorch lacks both layers.",
        to_torch="the formula, with z drawn once for both",
        size=1,
        measured="100 standard normal vectors of 5, rate ½, nn.Dropout instead",
        rung="forward_train",
        latent=True,
        source="keras/src/layers/regularization/gaussian_dropout.py",
    ),
    Difference(
        id="dropout.rate_one",
        kind="dropout",
        title="a rate of 1 raises an error in Keras 2",
        what="With a rate of 1, PyTorch and Keras 3 return zeros. Keras 2 accepts the rate and "
        "raises an error at the first call in training.",
        why="tf.nn.dropout divides by 1 − rate. It occurs in hyperparameter searches over the "
        "rate.",
        to_torch="nothing to do: no Keras 2 model trains with this rate",
        to_keras="multiply by zero instead",
        size=math.inf,
        measured="Dropout(1.0) in training, on vectors of 5",
        rung="forward_train",
        latent=True,
        flavours=("tf_keras",),
        source="tf_keras/src/layers/regularization/dropout.py",
    ),
)
