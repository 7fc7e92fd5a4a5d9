"""The training loss of a spec: the mean over the batch, weighted by class."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.constants import as_float32
from parity.reference.losses.table import SPARSE
from parity.specs.base import ModelSpec
from parity.specs.objective import loss_class
from parity.specs.training import TrainingSpec
from torch_impl import nn as keras_nn


class HeadLoss(nn.Module):
    """Keras's loss of the model's outputs: the head's cross-entropy, or another one by name.

    Labels are one-hot, or 0 and 1 for a sigmoid head; hinge losses convert both to −1 and 1.
    For probabilities the cross-entropy clips to [1e-7, 1 − 1e-7], takes logarithms and, over
    classes, renormalises.
    With class weights w the loss is Σ w_y·ℓ / B: divided by the batch size, while PyTorch's own
    ``weight`` divides by Σ w_y.
    With label smoothing s the target is (1 − s)·y + s/C over C classes, or (1 − s)·y + s/2 for a
    sigmoid. Over classes Keras then uses another formula for probabilities, which divides them by
    their sum before clipping.
    Source: ``tf_keras/src/backend.py`` and ``keras/src/backend/tensorflow/nn.py``.
    """

    class_weights: Tensor

    def __init__(self, spec: ModelSpec, training: TrainingSpec) -> None:
        super().__init__()
        weights = torch.tensor([as_float32(weight) for weight in training.class_weights])
        self.register_buffer("class_weights", weights)
        self.sigmoid = spec.head == "sigmoid"
        kind, given = loss_class(spec, training)
        self.sparse = kind == SPARSE
        self.loss: keras_nn.KerasLoss = getattr(keras_nn, kind)(**given, flavour=spec.flavour)

    def forward(self, y: Tensor, outputs: Tensor) -> Tensor:
        """Scalar loss of labels y, int64 (N,), and outputs (N, units)."""
        weights = None
        if len(self.class_weights):
            weights = self.class_weights.to(outputs)[y]  # (N,)
        if self.sparse and weights is None and self.loss.from_logits:
            return F.cross_entropy(outputs, y)  # the same numbers in one call
        if self.sigmoid:
            y = y.to(outputs.dtype)[:, None]
        elif not self.sparse:
            y = F.one_hot(y, outputs.shape[1]).to(outputs.dtype)
        loss: Tensor = self.loss(outputs, y, sample_weight=weights)
        return loss
