"""Softmax regression and the multilayer perceptron. Twin: ``keras_impl/models/softmax.py``.

Deliberate differences: none.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from parity.specs.softmax import SoftmaxSpec
from torch_impl.layers import Masks, output_activation


class SoftmaxClassifier(nn.Module):
    """Flatten → dense(hidden, relu) … → dense(classes)."""

    def __init__(self, spec: SoftmaxSpec) -> None:
        super().__init__()
        widths = (math.prod(spec.input_shape), *spec.hidden)
        self.flatten = nn.Flatten()
        self.dense = nn.ModuleList(nn.Linear(into, units) for into, units in pairwise(widths))
        self.dense_relu = nn.ModuleList(nn.ReLU() for _ in spec.hidden)
        self.logits = nn.Linear(widths[-1], spec.outputs)
        self.probabilities = output_activation(spec.head, spec.output)

    def forward(self, x: Tensor, lengths: Tensor | None = None, keep: Masks = None) -> Tensor:
        """Map x (N, …) to logits or probabilities (N, outputs); nothing here needs the rest."""
        x = self.flatten(x)  # (N, features)
        for n in range(len(self.dense)):
            x = self.dense_relu[n](self.dense[n](x))  # (N, units)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
