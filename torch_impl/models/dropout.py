"""Dense classifier with dropout. Twin: ``keras_impl/models/dropout.py``.

Deliberate differences: none. Random draws are inputs, so that both drop the same units.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from parity.specs.dropout import DropoutSpec
from torch_impl.parts.layers import Masks, activation, output_activation
from torch_impl.parts.noise import dropout, noise


class DropoutClassifier(nn.Module):
    """Flatten (→ noise) → [dense(hidden) → activation → dropout(rate)] … → dense(classes)."""

    def __init__(self, spec: DropoutSpec) -> None:
        super().__init__()
        widths = (math.prod(spec.input_shape), *spec.hidden)
        self.flatten = nn.Flatten()
        self.noise = noise(spec)
        self.dense = nn.ModuleList(nn.Linear(into, units) for into, units in pairwise(widths))
        self.dense_activation = nn.ModuleList(activation(spec) for _ in spec.hidden)
        self.dropout = nn.ModuleList(dropout(spec) for _ in spec.hidden)
        self.logits = nn.Linear(widths[-1], spec.outputs)
        self.probabilities = output_activation(spec.head, spec.output)

    def forward(self, x: Tensor, lengths: Tensor | None = None, keep: Masks = None) -> Tensor:
        """Map x (N, …) and random draws (N, units) by layer name to (N, outputs)."""
        keep = keep or {}
        x = self.flatten(x)  # (N, features)
        if self.noise is not None:
            x = self.noise(x, keep.get("noise"))
        for n in range(len(self.dense)):
            x = self.dense_activation[n](self.dense[n](x))  # (N, units)
            x = self.dropout[n](x, keep.get(f"dropout_{n + 1}"))
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
