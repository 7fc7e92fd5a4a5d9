"""Losses for numbers, counts and distributions, from outputs x and targets t."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from parity.constants import as_float32
from parity.reference.losses.formulas import (
    LEAST_OF_LOGARITHM,
    LOG_2,
    PROBABILITY_EPSILON,
    SHORTEST,
)
from torch_impl.nn.reduction import KerasLoss


class MeanSquaredError(KerasLoss):
    """ℓ = mean of (x − t)² over the last axis.

    PyTorch's ``MSELoss`` gives the same without sample weights and for equal shapes.
    Source: ``tf_keras/src/losses.py``, ``keras/src/losses/losses.py``, as for all losses here.
    """

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        return (outputs - target).square().mean(-1)


class MeanAbsoluteError(KerasLoss):
    """ℓ = mean of |x − t| over the last axis; the gradient at x = t is 0, as in PyTorch."""

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        return (outputs - target).abs().mean(-1)


class MeanAbsolutePercentageError(KerasLoss):
    """ℓ = 100·mean of |t − x| / max(|t|, 1e-7) over the last axis; PyTorch has no such loss."""

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        relative = (target - outputs) / target.abs().clamp_min(PROBABILITY_EPSILON)
        return 100.0 * relative.abs().mean(-1)


class MeanSquaredLogarithmicError(KerasLoss):
    """ℓ = mean of (log(x + 1) − log(t + 1))² over the last axis, both at least 1e-7.

    Keras 3 rounds 1e-7 to float32. The gradient is zero for outputs below it. PyTorch has no such
    loss.
    """

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        least = LEAST_OF_LOGARITHM[self.flavour]
        x, t = (values.clamp_min(least) for values in (outputs, target))
        return ((x + 1.0).log() - (t + 1.0).log()).square().mean(-1)


class Huber(KerasLoss):
    """ℓ = mean over the last axis of ½e² if |e| ≤ δ, else δ|e| − ½δ²; e = x − t.

    PyTorch's ``HuberLoss`` is the same except for δ, which Keras 2 rounds to float32.
    Source: Huber, 1964.

    Args:
        delta: δ, above 0, in the unit of the outputs.
        common: see :class:`KerasLoss`.
    """

    def __init__(self, delta: float = 1.0, **common: Any) -> None:
        if not delta > 0:
            raise ValueError(f"delta: received {delta}, accepted: above 0")
        super().__init__(**common)
        self.delta = as_float32(delta) if self.flavour == "tf_keras" else delta

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        error = outputs - target
        distance, delta = error.abs(), self.delta
        linear = delta * distance - 0.5 * delta**2
        return torch.where(distance <= delta, 0.5 * error.square(), linear).mean(-1)


class LogCosh(KerasLoss):
    """ℓ = mean of log cosh e = e + log(1 + exp(−2e)) − log 2, with e = x − t, over the last axis.

    PyTorch has no such loss. Its ``softplus`` is linear above 20, an error of 2e-9.
    """

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        error = outputs - target
        return (error + F.softplus(-2.0 * error, threshold=40.0) - LOG_2).mean(-1)


class KLDivergence(KerasLoss):
    """ℓ = Σ t·log(t / x) over the last axis, both clipped to [1e-7, 1].

    The gradient is zero where x was clipped. PyTorch's ``KLDivLoss`` expects logarithms as outputs,
    does not clip, and by default divides by the number of all entries.
    """

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        t, x = target.clamp(PROBABILITY_EPSILON, 1.0), outputs.clamp(PROBABILITY_EPSILON, 1.0)
        return (t * (t / x).log()).sum(-1)


class Poisson(KerasLoss):
    """ℓ = mean of x − t·log(x + 1e-7) over the last axis, for rates x and counts t.

    By default PyTorch's ``PoissonNLLLoss`` expects logarithms of rates, and adds 1e-8.
    """

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        return (outputs - target * (outputs + PROBABILITY_EPSILON).log()).mean(-1)


class CosineSimilarity(KerasLoss):
    """ℓ = −Σ x·t / (‖x‖‖t‖) over an axis: −1 for the same direction, 0 if one is zero.

    Vectors are divided by √max(‖x‖², ε), ε = 1e-12 in Keras 2 and 1e-14 in Keras 3.
    PyTorch's ``cosine_similarity`` has the opposite sign and √ε = 1e-8.

    Args:
        axis: axis of the vectors.
        common: see :class:`KerasLoss`.
    """

    def __init__(self, axis: int = -1, **common: Any) -> None:
        super().__init__(**common)
        self.axis = axis

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        return -(self._unit(target) * self._unit(outputs)).sum(self.axis)

    def _unit(self, vectors: Tensor) -> Tensor:
        squares = vectors.square().sum(self.axis, keepdim=True)
        return vectors * squares.clamp_min(SHORTEST[self.flavour]).rsqrt()
