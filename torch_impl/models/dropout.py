"""Dense classifier with dropout. Twin: ``keras_impl/models/dropout.py``.

Deliberate differences: none. The masks come from outside, so that both drop the same units.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from parity.specs.dropout import DropoutSpec
from torch_impl.layers import Masks, SharedDropout, activation, output_activation


class DropoutClassifier(nn.Module):
    """Flatten → [dense(hidden) → activation → dropout(rate)] … → dense(classes)."""

    def __init__(self, spec: DropoutSpec) -> None:
        super().__init__()
        widths = (math.prod(spec.input_shape), *spec.hidden)
        self.flatten = nn.Flatten()
        self.dense = nn.ModuleList(nn.Linear(into, units) for into, units in pairwise(widths))
        self.dense_activation = nn.ModuleList(activation(spec) for _ in spec.hidden)
        self.dropout = nn.ModuleList(SharedDropout(spec.rate) for _ in spec.hidden)
        self.logits = nn.Linear(widths[-1], spec.outputs)
        self.probabilities = output_activation(spec.head, spec.output)

    def forward(self, x: Tensor, lengths: Tensor | None = None, keep: Masks = None) -> Tensor:
        """Map x (N, …) and keep masks (N, units) by layer to (N, outputs)."""
        keep = keep or {}
        x = self.flatten(x)  # (N, features)
        for n in range(len(self.dense)):
            x = self.dense_activation[n](self.dense[n](x))  # (N, units)
            x = self.dropout[n](x, keep.get(f"dropout_{n + 1}"))
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
