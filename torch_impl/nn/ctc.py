"""Connectionist temporal classification; Keras 2 has no such loss class."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torch_impl.nn.reduction import KerasLoss

BLANK = 0
"""Keras's blank label, which also pads the targets."""


class CTC(KerasLoss):
    """ℓ = −log p(target), summed over all alignments of the target with the steps.

    Every step counts, and a target's length is its number of labels other than 0.
    PyTorch's ``CTCLoss`` has the steps on axis 0, expects logarithms of probabilities, and by
    default divides each loss by its target's length. Keras computes in float32, this class in the
    outputs' dtype, but in float32 at least. A target that does not fit in the steps has an infinite
    loss here; with TensorFlow it is several hundred.
    Source: Graves et al., 2006; ``keras/src/losses/losses.py``; the NumPy reference is
    :mod:`parity.reference.losses.ctc`.

    Args:
        common: see :class:`KerasLoss`; ``flavour`` is ``keras3``.

    Shapes: outputs (N, steps, classes), logits; target (N, labels), numbers of any dtype.
    """

    flavours = ("keras3",)

    def __init__(self, *, flavour: str = "keras3", **common: Any) -> None:
        super().__init__(flavour=flavour, **common)

    def matched(self, outputs: Tensor, target: Tensor, weighted: bool) -> tuple[Tensor, Tensor]:
        """Outputs unchanged, and the labels as integers."""
        if outputs.ndim != 3 or target.ndim != 2 or len(outputs) != len(target):
            raise ValueError(
                f"target: received shape {tuple(target.shape)} with outputs "
                f"{tuple(outputs.shape)}, accepted: (N, labels) with (N, steps, classes)"
            )
        return outputs, target.long()

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        steps = torch.full((len(outputs),), outputs.shape[1])
        wide = torch.promote_types(outputs.dtype, torch.float32)  # the least that PyTorch computes
        losses = F.ctc_loss(
            outputs.to(wide).log_softmax(-1).movedim(1, 0),
            target,
            steps,
            (target != BLANK).sum(-1),
            blank=BLANK,
            reduction="none",
        )
        return losses.to(outputs.dtype)
