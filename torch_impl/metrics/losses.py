"""Losses as metrics: their weighted mean over all batches.

The formulas are those of :mod:`torch_impl.nn`. Keras 2 computes them in the metric's dtype, Keras 3
in the outputs'.
Source: ``…/metrics/{regression,probabilistic,hinge}_metrics.py`` of either Keras.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from torch_impl import nn
from torch_impl.metrics import base
from torch_impl.metrics.mean import MeanOfValues
from torch_impl.nn.reduction import same_rank


class MeanOfLosses(MeanOfValues):
    """Base class: the mean of a loss.

    Args:
        **options: of the loss, see its class.
        dtype, flavour: see :class:`Metric`.
    """

    loss: ClassVar[type[nn.KerasLoss]]

    def __init__(
        self, *, dtype: torch.dtype | None = None, flavour: str = "tf_keras", **options: Any
    ) -> None:
        super().__init__(dtype=dtype, flavour=flavour)
        self.formula = self.loss(**options, flavour=flavour)

    def values(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`MeanOfValues.values`; shapes as the loss takes them."""
        if self.flavour == "tf_keras":
            outputs = outputs.to(self.dtype)
        return self.formula.losses(*self.formula.matched(outputs, target, weighted=False))


class MeanSquaredError(MeanOfLosses):
    """Mean of :class:`torch_impl.nn.MeanSquaredError`."""

    loss = nn.MeanSquaredError


class MeanAbsoluteError(MeanOfLosses):
    """Mean of :class:`torch_impl.nn.MeanAbsoluteError`."""

    loss = nn.MeanAbsoluteError


class MeanAbsolutePercentageError(MeanOfLosses):
    """Mean of :class:`torch_impl.nn.MeanAbsolutePercentageError`."""

    loss = nn.MeanAbsolutePercentageError


class MeanSquaredLogarithmicError(MeanOfLosses):
    """Mean of :class:`torch_impl.nn.MeanSquaredLogarithmicError`."""

    loss = nn.MeanSquaredLogarithmicError


class LogCoshError(MeanOfLosses):
    """Mean of :class:`torch_impl.nn.LogCosh`."""

    loss = nn.LogCosh


class CosineSimilarity(MeanOfLosses):
    """Mean of the cosine: 1 for the same direction, where the loss of that name is −1."""

    loss = nn.CosineSimilarity

    def values(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`MeanOfValues.values`."""
        return -super().values(outputs, target)


class Hinge(MeanOfLosses):
    """Mean of :class:`torch_impl.nn.Hinge`."""

    loss = nn.Hinge


class SquaredHinge(MeanOfLosses):
    """Mean of :class:`torch_impl.nn.SquaredHinge`."""

    loss = nn.SquaredHinge


class CategoricalHinge(MeanOfLosses):
    """Mean of :class:`torch_impl.nn.CategoricalHinge`."""

    loss = nn.CategoricalHinge


class KLDivergence(MeanOfLosses):
    """Mean of :class:`torch_impl.nn.KLDivergence`."""

    loss = nn.KLDivergence


class Poisson(MeanOfLosses):
    """Mean of :class:`torch_impl.nn.Poisson`."""

    loss = nn.Poisson


class BinaryCrossentropy(MeanOfLosses):
    """Mean of :class:`torch_impl.nn.BinaryCrossentropy`."""

    loss = nn.BinaryCrossentropy


class CategoricalCrossentropy(MeanOfLosses):
    """Mean of :class:`torch_impl.nn.CategoricalCrossentropy`."""

    loss = nn.CategoricalCrossentropy


class SparseCategoricalCrossentropy(MeanOfLosses):
    """Mean of :class:`torch_impl.nn.SparseCategoricalCrossentropy`.

    Ignored labels do not count, except in Keras 3 without sample weights, where they count as 0.
    """

    loss = nn.SparseCategoricalCrossentropy

    def update(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | float | None = None
    ) -> None:
        """See :meth:`Metric.update`."""
        _, labels = self.formula.matched(outputs, target, weighted=False)
        valid = self.formula.valid(labels)
        if valid is not None and (self.flavour == "tf_keras" or sample_weight is not None):
            weight = torch.as_tensor(1.0 if sample_weight is None else sample_weight)
            valid, weight = same_rank(valid.to(self.dtype), weight.to(self.dtype))
            sample_weight = valid * weight
        super().update(outputs, target, sample_weight)


class RootMeanSquaredError(MeanOfValues):
    """√ of the mean of (x − t)² over all batches, not the mean of the batches' roots."""

    def values(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`MeanOfValues.values`; outputs and targets of equal shapes."""
        outputs, target = base.same_rank(outputs.to(self.dtype), target.to(self.dtype))
        return (outputs - target).square()

    def compute(self) -> Tensor:
        """The root, a scalar."""
        return super().compute().sqrt()
