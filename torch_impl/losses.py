"""The loss that each head calls for, mean over the batch, each example weighted by its class."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.constants import as_float32
from parity.specs.base import ModelSpec
from torch_impl.nn import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    KerasLoss,
    SparseCategoricalCrossentropy,
)


class HeadLoss(nn.Module):
    """Keras's cross-entropy on what the model returns.

    On probabilities the loss clips to [1e-7, 1 − 1e-7], takes logarithms and, over classes,
    renormalises.
    Class weights w make it Σ w_y·ℓ / B: divided by the batch's size, where PyTorch's own ``weight``
    divides by the sum of the weights.
    With label smoothing s the target is (1 − s)·y + s/C over C classes, (1 − s)·y + s/2 of a
    sigmoid; over classes Keras then has another formula for probabilities, which divides them by
    their sum before it clips.
    Source: ``tf_keras/src/backend.py`` and ``keras/src/backend/tensorflow/nn.py``.
    """

    class_weights: Tensor

    def __init__(
        self,
        spec: ModelSpec,
        class_weights: tuple[float, ...] = (),
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        weights = torch.tensor([as_float32(weight) for weight in class_weights])
        self.register_buffer("class_weights", weights)
        self.sigmoid = spec.head == "sigmoid"
        self.smoothing = as_float32(label_smoothing)
        from_logits, flavour = spec.output == "logits", spec.flavour
        self.loss: KerasLoss
        if self.sigmoid:
            self.loss = BinaryCrossentropy(from_logits, self.smoothing, flavour=flavour)
        elif self.smoothing:
            self.loss = CategoricalCrossentropy(from_logits, self.smoothing, flavour=flavour)
        else:
            self.loss = SparseCategoricalCrossentropy(from_logits, flavour=flavour)

    def forward(self, y: Tensor, outputs: Tensor) -> Tensor:
        """Scalar loss of labels y, int64 (N,), and outputs (N, units)."""
        weights = None
        if len(self.class_weights):
            weights = self.class_weights.to(outputs)[y]  # (N,)
        if self.sigmoid:
            y = y.to(outputs.dtype)[:, None]
        elif self.smoothing:
            y = F.one_hot(y, outputs.shape[1]).to(outputs.dtype)
        loss: Tensor = self.loss(outputs, y, sample_weight=weights)
        return loss
