"""Softmax regression and the multilayer perceptron. Twin: ``keras_impl/models/softmax.py``.

Deliberate differences: none.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from parity.specs.softmax import SoftmaxSpec
from torch_impl.layers import output_activation


class SoftmaxClassifier(nn.Module):
    """Flatten → dense(hidden, relu) … → dense(classes)."""

    def __init__(self, spec: SoftmaxSpec) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.dense, self.dense_relu = nn.ModuleList(), nn.ModuleList()
        features = math.prod(spec.input_shape)
        for units in spec.hidden:
            self.dense.append(nn.Linear(features, units))
            self.dense_relu.append(nn.ReLU())
            features = units
        self.logits = nn.Linear(features, spec.outputs)
        self.probabilities = output_activation(spec.head, spec.output)

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, keep: dict[str, Tensor] | None = None
    ) -> Tensor:
        """Map x (N, …) to logits or probabilities (N, outputs); nothing here needs the rest."""
        x = self.flatten(x)  # (N, features)
        for dense, relu in zip(self.dense, self.dense_relu, strict=True):
            x = relu(dense(x))  # (N, units)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
