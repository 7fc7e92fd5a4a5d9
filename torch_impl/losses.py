"""The loss that each head calls for, mean over the batch, each example weighted by its class.

The formulas are Keras's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.constants import as_float32
from parity.losses import LOG_EPSILON, PROBABILITY_EPSILON
from parity.specs.base import ModelSpec


class HeadLoss(nn.Module):
    """Cross-entropy on what the model returns.

    On logits it is PyTorch's own. On probabilities it is Keras's: clip to [1e-7, 1 − 1e-7], take
    logarithms and, over classes, renormalise; Keras 2's binary one adds 1e-7 within the logarithm.
    Class weights w make it Σ w_y·ℓ / B: divided by the batch's size, where PyTorch's own ``weight``
    divides by the sum of the weights.
    Source: ``tf_keras/src/backend.py`` and ``keras/src/backend/tensorflow/nn.py``.
    """

    class_weights: Tensor

    def __init__(self, spec: ModelSpec, class_weights: tuple[float, ...] = ()) -> None:
        super().__init__()
        self.sigmoid = spec.head == "sigmoid"
        self.from_logits = spec.output == "logits"
        self.log_epsilon = LOG_EPSILON[spec.flavour]
        self.register_buffer(
            "class_weights", torch.tensor([as_float32(weight) for weight in class_weights])
        )

    def forward(self, y: Tensor, outputs: Tensor) -> Tensor:
        """Scalar loss of labels y, int64 (N,), and outputs (N, units)."""
        losses = self._of_sigmoid(y, outputs) if self.sigmoid else self._of_softmax(y, outputs)
        if len(self.class_weights):
            losses = losses * self.class_weights.to(losses)[y]
        return losses.mean()

    def _of_sigmoid(self, y: Tensor, outputs: Tensor) -> Tensor:
        """Loss of each example, (N,)."""
        outputs, y = outputs[:, 0], y.to(outputs.dtype)
        if self.from_logits:
            return F.binary_cross_entropy_with_logits(outputs, y, reduction="none")
        p = outputs.clamp(PROBABILITY_EPSILON, 1.0 - PROBABILITY_EPSILON)
        one, zero = torch.log(p + self.log_epsilon), torch.log(1.0 - p + self.log_epsilon)
        return -(y * one + (1.0 - y) * zero)

    def _of_softmax(self, y: Tensor, outputs: Tensor) -> Tensor:
        """Loss of each example, (N,)."""
        if not self.from_logits:
            outputs = torch.log(outputs.clamp(PROBABILITY_EPSILON, 1.0 - PROBABILITY_EPSILON))
        return F.cross_entropy(outputs, y, reduction="none")
