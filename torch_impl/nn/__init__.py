"""Keras's losses, noise layers, constraints, penalties and augmentation, for PyTorch.

A loss takes its arguments in PyTorch's order, ``loss(outputs, target, sample_weight=None)``.
"""

from torch_impl.nn.augmentation import contrast, flip, rotate, transform, translate, zoom
from torch_impl.nn.class_weights import ClassificationLoss
from torch_impl.nn.constraints import MaxNorm, MinMaxNorm, NonNeg, UnitNorm, constrain
from torch_impl.nn.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
from torch_impl.nn.ctc import CTC
from torch_impl.nn.focal import BinaryFocalCrossentropy, CategoricalFocalCrossentropy
from torch_impl.nn.margin import CategoricalHinge, Hinge, SquaredHinge
from torch_impl.nn.noise import AlphaDropout, GaussianDropout, GaussianNoise
from torch_impl.nn.overlap import Dice, Tversky
from torch_impl.nn.reduction import KerasLoss
from torch_impl.nn.regression import (
    CosineSimilarity,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
)
from torch_impl.nn.regularizers import L1, L1L2, L2, Penalties

__all__ = [
    "CTC",
    "L1",
    "L1L2",
    "L2",
    "AlphaDropout",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "ClassificationLoss",
    "CosineSimilarity",
    "Dice",
    "GaussianDropout",
    "GaussianNoise",
    "Hinge",
    "Huber",
    "KLDivergence",
    "KerasLoss",
    "LogCosh",
    "MaxNorm",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "MinMaxNorm",
    "NonNeg",
    "Penalties",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "UnitNorm",
    "constrain",
    "contrast",
    "flip",
    "rotate",
    "transform",
    "translate",
    "zoom",
]
