"""Hinge losses: zero for outputs on the target's side, at least a margin of 1 away.

Exactly at the margin, the gradient is that of the slope, as in Keras.
"""

from __future__ import annotations

import torch
from torch import Tensor

from torch_impl.nn.reduction import KerasLoss


class Hinge(KerasLoss):
    """ℓ = mean of max(1 − t·x, 0) over the last axis.

    Targets t are −1 or 1. If all targets of a call are 0 or 1, they are converted to −1
    and 1. PyTorch's ``HingeEmbeddingLoss`` is another loss.
    Source: ``tf_keras/src/losses.py``, ``keras/src/losses/losses.py``, as for all losses here.
    """

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        return _short_of_margin(outputs, target).mean(-1)


class SquaredHinge(KerasLoss):
    """ℓ = mean of max(1 − t·x, 0)² over the last axis; targets as for :class:`Hinge`."""

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        return _short_of_margin(outputs, target).square().mean(-1)


class CategoricalHinge(KerasLoss):
    """ℓ = max(max over the last axis of (1 − t)·x − Σ t·x + 1, 0), for one-hot targets t.

    The maximum includes a 0 for the target class itself. Equal largest entries share the gradient.
    PyTorch's ``MultiMarginLoss`` sums over all classes instead.
    """

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        right = (target * outputs).sum(-1)
        wrong = ((1.0 - target) * outputs).amax(-1)
        return (wrong - right + 1.0).clamp_min(0.0)


def _short_of_margin(outputs: Tensor, target: Tensor) -> Tensor:
    binary = ((target == 0) | (target == 1)).all()
    signs = torch.where(binary, 2.0 * target - 1.0, target)
    return (1.0 - signs * outputs).clamp_min(0.0)
