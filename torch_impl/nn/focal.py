"""Focal cross-entropies, in which confident examples count less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from torch_impl.nn.crossentropy import BinaryCrossentropy, CategoricalCrossentropy, clipped


class BinaryFocalCrossentropy(BinaryCrossentropy):
    """ℓ = mean over the last axis of (1 − pₜ)^γ·BCE, pₜ = t·p + (1 − t)(1 − p).

    p is the output, or its sigmoid; BCE is an entry's :class:`BinaryCrossentropy`. With class
    balancing each entry is multiplied by α·t + (1 − α)(1 − t), as in torchvision's
    ``sigmoid_focal_loss``, which does so by default.
    Source: Lin et al., 2018; ``tf_keras/src/backend.py``, ``keras/src/losses/losses.py``. Keras 3
    computes the logarithms from the logits, as here, with its TensorFlow backend only.

    Args:
        apply_class_balancing: see above.
        alpha: α, the weight of 1; that of 0 is 1 − α.
        gamma: γ, 0 or more.
        common: see :class:`BinaryCrossentropy`.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.apply_class_balancing = apply_class_balancing
        self.alpha = alpha
        self.gamma = _exponent(gamma)

    def entries(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`BinaryCrossentropy.entries`."""
        p = torch.sigmoid(outputs) if self.from_logits else outputs
        right = target * p + (1.0 - target) * (1.0 - p)
        losses = (1.0 - right).pow(self.gamma) * super().entries(outputs, target)
        if self.apply_class_balancing:
            losses = losses * (target * self.alpha + (1.0 - target) * (1.0 - self.alpha))
        return losses


class CategoricalFocalCrossentropy(CategoricalCrossentropy):
    """ℓ = −Σ α·(1 − q)^γ·t·log q over classes, q = p / Σp clipped to [1e-7, 1 − 1e-7].

    p are the outputs, or their softmax. PyTorch has no such loss.
    Source: as :class:`BinaryFocalCrossentropy`.

    Args:
        alpha: α, one number or one for each class.
        gamma: γ, 0 or more.
        common: see :class:`CategoricalCrossentropy`.
    """

    def __init__(
        self, alpha: float | Sequence[float] = 0.25, gamma: float = 2.0, **common: Any
    ) -> None:
        super().__init__(**common)
        self.alpha = alpha
        self.gamma = _exponent(gamma)

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        target = self.smoothed(target, -1)
        p = outputs.softmax(self.axis) if self.from_logits else outputs
        q = clipped(p / p.sum(self.axis, keepdim=True))
        alpha = torch.as_tensor(self.alpha, dtype=q.dtype, device=q.device)
        return (alpha * (1.0 - q).pow(self.gamma) * -(target * q.log())).sum(self.axis)


def _exponent(gamma: float) -> float:
    if not gamma >= 0:
        raise ValueError(f"gamma: received {gamma}, accepted: 0 or more")
    return gamma
