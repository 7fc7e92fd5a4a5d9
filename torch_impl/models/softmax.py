"""Softmax regression and the multilayer perceptron. Twin: ``keras_impl/models/softmax.py``.

Deliberate differences: none.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from parity.specs.softmax import SoftmaxSpec
from torch_impl.parts.layers import Masks, activation, layer_norm, output_activation
from torch_impl.parts.noise import noise


class SoftmaxClassifier(nn.Module):
    """Flatten (→ noise) → [dense(hidden) → layer norm → activation] … → dense(classes)."""

    def __init__(self, spec: SoftmaxSpec) -> None:
        super().__init__()
        widths = (math.prod(spec.input_shape), *spec.hidden)
        self.flatten = nn.Flatten()
        self.noise = noise(spec)
        self.dense = nn.ModuleList(nn.Linear(into, units) for into, units in pairwise(widths))
        self.layer_norm = nn.ModuleList(
            layer_norm(spec, units) for units in spec.hidden if spec.layer_norm
        )
        self.dense_activation = nn.ModuleList(activation(spec) for _ in spec.hidden)
        self.logits = nn.Linear(widths[-1], spec.outputs)
        self.probabilities = output_activation(spec.head, spec.output)

    def forward(self, x: Tensor, lengths: Tensor | None = None, keep: Masks = None) -> Tensor:
        """Map x (N, …) and random draws for the noise (N, features) to (N, outputs)."""
        keep = keep or {}
        x = self.flatten(x)  # (N, features)
        if self.noise is not None:
            x = self.noise(x, keep.get("noise"))
        for n in range(len(self.dense)):
            x = self.dense[n](x)  # (N, units)
            if self.layer_norm:
                x = self.layer_norm[n](x)
            x = self.dense_activation[n](x)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
