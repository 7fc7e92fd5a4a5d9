"""Losses of the overlap of two sets, for segmentation; Keras 2 does not have them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from parity.reference.losses.formulas import PROBABILITY_EPSILON
from torch_impl.nn.reduction import KerasLoss

Axes = int | tuple[int, ...] | None


class Dice(KerasLoss):
    """ℓ = 1 − 2·Σ t·x / (Σt + Σx + 1e-7), with sums over the given axes.

    By default the sums are over all axes, the batch included, so there is a single loss and the
    reduction has no effect. PyTorch has no such loss.
    Source: ``keras/src/losses/losses.py``, as for all losses here.

    Args:
        axis: the axes of the sums; None for all.
        common: see :class:`KerasLoss`; ``flavour`` is ``keras3``.
    """

    flavours = ("keras3",)

    def __init__(self, axis: Axes = None, *, flavour: str = "keras3", **common: Any) -> None:
        super().__init__(flavour=flavour, **common)
        self.axis = axis

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        both, sizes = (target * outputs).sum(self.axis), target.sum(self.axis)
        return 1.0 - 2.0 * both / (sizes + outputs.sum(self.axis) + PROBABILITY_EPSILON)


class Tversky(KerasLoss):
    """ℓ = 1 − Σ t·x / (Σ t·x + α·Σ (1 − x)·t + β·Σ x·(1 − t) + 1e-7), axes as for :class:`Dice`.

    α = β = ½ is the Dice loss. PyTorch has no such loss.
    Source: Salehi et al., 2017, who call the false positives' coefficient α. Keras documents it
    so too, but multiplies the false negatives, (1 − x)·t, by α.

    Args:
        alpha, beta: α and β.
        axis: see :class:`Dice`.
        common: see :class:`KerasLoss`; ``flavour`` is ``keras3``.
    """

    flavours = ("keras3",)

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        axis: Axes = None,
        *,
        flavour: str = "keras3",
        **common: Any,
    ) -> None:
        super().__init__(flavour=flavour, **common)
        self.alpha, self.beta, self.axis = alpha, beta, axis

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        both = (target * outputs).sum(self.axis)
        missed = ((1.0 - outputs) * target).sum(self.axis)
        invented = (outputs * (1.0 - target)).sum(self.axis)
        return 1.0 - both / (
            both + missed * self.alpha + invented * self.beta + PROBABILITY_EPSILON
        )
