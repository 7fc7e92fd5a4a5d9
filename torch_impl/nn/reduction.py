"""Base class of Keras's losses: ranks, sample weights, masks, reduction."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from parity.constants import FLAVOURS, as_float32

REDUCTIONS = {
    "tf_keras": ("sum_over_batch_size", "sum", "none"),
    "keras3": ("sum_over_batch_size", "sum", "none", "mean", "mean_with_sample_weight"),
}
"""Reductions by flavour; ``mean`` is the same as ``sum_over_batch_size``."""


class KerasLoss(nn.Module):
    """A Keras loss called as ``loss(outputs, target)``; subclasses define the formula.

    The formula reduces the last axis: outputs (N, …, D) give losses (N, …), so that outputs of one
    number per example are (N, 1). With the weights w the result is

    - ``sum_over_batch_size`` (in Keras 3 also ``mean``): Σ w·ℓ / count of the losses,
    - ``sum``: Σ w·ℓ,
    - ``none``: w·ℓ,
    - ``mean_with_sample_weight`` (Keras 3): Σ w·ℓ / Σ w, and 0 where Σ w = 0.

    PyTorch's own losses treat every entry of the outputs as an example, have no sample weights, and
    divide by Σ w if they have class weights.
    Source: ``tf_keras/src/losses.py``, ``tf_keras/src/utils/losses_utils.py``,
    ``keras/src/losses/loss.py``.

    Args:
        reduction: see above.
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Raises:
        ValueError: an unknown name; in calls, a wrong shape or dtype.
    """

    flavours: ClassVar[tuple[str, ...]] = FLAVOURS
    """The Kerases that have the loss."""

    def __init__(
        self, *, reduction: str = "sum_over_batch_size", flavour: str = "tf_keras"
    ) -> None:
        if flavour not in self.flavours:
            accepted = ", ".join(self.flavours)
            raise ValueError(f"flavour: received {flavour!r}, accepted: {accepted}")
        if reduction not in REDUCTIONS[flavour]:
            raise ValueError(
                f"reduction: received {reduction!r} with flavour {flavour!r}, accepted: "
                f"{', '.join(REDUCTIONS[flavour])}"
            )
        super().__init__()
        self.reduction = reduction
        self.flavour = flavour

    def forward(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | float | None = None
    ) -> Tensor:
        """The reduced loss.

        Args:
            outputs: what the model returns, float (N, …, D).
            target: of the same shape and any dtype (class numbers lack the last axis). Ranks that
                differ by one are matched as in Keras, if the last axis of one has size 1. But
                outputs (N, 1) with targets (N,) are an error with weights, ``sum`` or ``none``,
                because then Keras 2 gives one loss when called directly and another in ``fit``.
            sample_weight: a number, or a tensor of the losses' shape (N, …) or one that Keras
                broadcasts to it. For losses (N, T), Keras 2 accepts (N,) while Keras 3 needs
                (N, 1). For losses with more axes, both align (N,) with the *last* axis, as PyTorch
                does.

        Returns:
            A scalar, or with ``none`` the losses (N, …), in the outputs' dtype.
        """
        if not outputs.is_floating_point() or not outputs.ndim:
            raise ValueError(
                f"outputs: received {outputs.dtype} of shape {tuple(outputs.shape)}, accepted: "
                "floats, with an axis for the loss to reduce"
            )
        if isinstance(sample_weight, float | int):
            # Keras 2 makes a float32 tensor of a Python number, whatever the losses' dtype is
            number = as_float32(sample_weight) if self.flavour == "tf_keras" else sample_weight
            sample_weight = outputs.new_full((), number)
        weight = self.weights(outputs, target, sample_weight)
        outputs, target = self.matched(outputs, target, weight is not None)
        return self._reduced(self.losses(outputs, target), weight, self.valid(target))

    @abstractmethod
    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The formula.

        Args:
            outputs: float (N, …, D).
            target: as :meth:`matched` returns it.

        Returns:
            One loss for each example (N, …).
        """

    def weights(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | None
    ) -> Tensor | None:
        """The weights of the losses: the sample weights, unless a subclass adds others."""
        return sample_weight

    def valid(self, target: Tensor) -> Tensor | None:
        """Which losses count, bool (N, …); None for all."""
        return None

    def matched(self, outputs: Tensor, target: Tensor, weighted: bool) -> tuple[Tensor, Tensor]:
        """Outputs and target with equal ranks, the target in the outputs' dtype."""
        shapes = f"received {tuple(target.shape)} with outputs {tuple(outputs.shape)}, accepted:"
        if self.flavour == "keras3":
            target, outputs = same_rank(target, outputs)
        elif outputs.ndim == target.ndim + 1 and outputs.shape[-1] == 1:
            if target.ndim == 1 and (weighted or self.reduction != "sum_over_batch_size"):
                # calling Keras's loss and using it in fit give different results here
                raise ValueError(
                    f"target: {shapes} {tuple(outputs.shape)} (Keras 2 takes the mean over the "
                    "batch at once, but not in fit)"
                )
            outputs = outputs.squeeze(-1)
        elif target.ndim == outputs.ndim + 1 and target.shape[-1] == 1:
            target = target.squeeze(-1)
        if not _broadcast(outputs.shape, target.shape):
            raise ValueError(f"target: {shapes} a shape that broadcasts with it")
        return outputs, target.to(outputs.dtype)

    def _reduced(self, losses: Tensor, weight: Tensor | None, valid: Tensor | None) -> Tensor:
        if weight is not None:
            weight = weight.to(losses.dtype)
        if valid is not None:
            weight = self._masked(losses, weight, valid)
        if weight is not None:
            losses, weight = self._broadcastable(losses, weight)
            losses = losses * weight
        # Keras 3 does not reduce scalars and empty losses
        as_is = self.flavour == "keras3" and losses.shape in ((), (0,))
        if self.reduction == "none" or as_is:
            return losses
        if self.reduction == "mean_with_sample_weight" and weight is not None:
            return _divide_no_nan(losses.sum(), weight.sum())
        if self.reduction == "sum" or not losses.numel():
            return losses.sum()
        return losses.mean()

    def _masked(self, losses: Tensor, weight: Tensor | None, valid: Tensor) -> Tensor:
        """The weights, with 0 for losses that do not count; a mean excludes these."""
        mask = valid.to(losses.dtype)
        if self.reduction in ("sum_over_batch_size", "mean"):
            count = mask.sum()
            all_of = torch.full_like(count, mask.numel())
            # if none counts, the mean is 0·∞ = NaN in Keras 2 and 0 in Keras 3
            keras_3 = self.flavour == "keras3"
            mask = mask * (_divide_no_nan(all_of, count) if keras_3 else all_of / count)
        if weight is None:
            return mask
        mask, weight = self._broadcastable(mask, weight)
        return weight * mask

    def _broadcastable(self, losses: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Losses and weights with ranks that broadcast as in Keras."""
        shapes = tuple(weight.shape), tuple(losses.shape)
        fits = True
        if self.flavour == "keras3":
            losses, weight = same_rank(losses, weight)
        elif weight.ndim == losses.ndim + 1:
            fits = weight.shape[-1] == 1
            weight = weight.squeeze(-1)
        elif weight.ndim and weight.ndim == losses.ndim - 1:
            weight = weight.unsqueeze(-1)
        if not fits or not _broadcast(losses.shape, weight.shape):
            raise ValueError(
                f"sample_weight: received shape {shapes[0]}, accepted: one that fits losses of "
                f"shape {shapes[1]} with flavour {self.flavour!r}"
            )
        return losses, weight


def same_rank(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Keras 3's rule for ranks that differ by one: remove a last axis of size 1, or add one."""
    if first.ndim == second.ndim + 1 and first.shape[-1] == 1:
        if second.ndim == 1:
            return first, second.unsqueeze(-1)
        return first.squeeze(-1), second
    if second.ndim == first.ndim + 1 and second.shape[-1] == 1:
        if first.ndim == 1:
            return first.unsqueeze(-1), second
        return first, second.squeeze(-1)
    return first, second


def _broadcast(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    pairs = zip(reversed(first), reversed(second), strict=False)
    return all(a == b or 1 in (a, b) for a, b in pairs)


def _divide_no_nan(number: Tensor, by: Tensor) -> Tensor:
    """``number / by``, and 0 with no gradient where ``by`` is 0."""
    none = by == 0
    return torch.where(none, 0.0, number / by.masked_fill(none, 1.0))
