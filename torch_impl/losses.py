"""The loss that each head calls for, mean over the batch, with Keras's formulas."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.losses import LOG_EPSILON, PROBABILITY_EPSILON
from parity.specs.base import ModelSpec


class HeadLoss(nn.Module):
    """Cross-entropy on what the model returns.

    On logits it is PyTorch's own. On probabilities it is Keras's: clip to [1e-7, 1 − 1e-7], take
    logarithms and, over classes, renormalise; Keras 2's binary one adds 1e-7 within the logarithm.
    Source: ``tf_keras/src/backend.py`` and ``keras/src/backend/tensorflow/nn.py``.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.sigmoid = spec.head == "sigmoid"
        self.from_logits = spec.output == "logits"
        self.log_epsilon = LOG_EPSILON[spec.flavour]

    def forward(self, y: Tensor, outputs: Tensor) -> Tensor:
        """Scalar loss of labels y, int64 (N,), and outputs (N, units)."""
        if self.sigmoid:
            y = y.to(outputs.dtype)[:, None]
            if self.from_logits:
                return F.binary_cross_entropy_with_logits(outputs, y)
            p = outputs.clamp(PROBABILITY_EPSILON, 1.0 - PROBABILITY_EPSILON)
            one, zero = torch.log(p + self.log_epsilon), torch.log(1.0 - p + self.log_epsilon)
            return -(y * one + (1.0 - y) * zero).mean()
        if self.from_logits:
            return F.cross_entropy(outputs, y)
        p = outputs.clamp(PROBABILITY_EPSILON, 1.0 - PROBABILITY_EPSILON)
        return F.cross_entropy(torch.log(p), y)
