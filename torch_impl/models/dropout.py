"""Dense classifier with dropout. Twin: ``keras_impl/models/dropout.py``.

Deliberate differences: none. The masks come from outside, so that both drop the same units.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from parity.specs.dropout import DropoutSpec
from torch_impl.layers import SharedDropout, output_activation


class DropoutClassifier(nn.Module):
    """Flatten → [dense(hidden, relu) → dropout(rate)] … → dense(classes)."""

    def __init__(self, spec: DropoutSpec) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.dense, self.dense_relu, self.dropout = (
            nn.ModuleList(),
            nn.ModuleList(),
            nn.ModuleList(),
        )
        features = math.prod(spec.input_shape)
        for units in spec.hidden:
            self.dense.append(nn.Linear(features, units))
            self.dense_relu.append(nn.ReLU())
            self.dropout.append(SharedDropout(spec.rate))
            features = units
        self.logits = nn.Linear(features, spec.outputs)
        self.probabilities = output_activation(spec.head, spec.output)

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, keep: dict[str, Tensor] | None = None
    ) -> Tensor:
        """Map x (N, …) and keep masks (N, units) by layer to logits or probabilities (N, outputs)."""
        keep = keep or {}
        x = self.flatten(x)  # (N, features)
        for number, (dense, relu, dropout) in enumerate(
            zip(self.dense, self.dense_relu, self.dropout, strict=True), 1
        ):
            x = relu(dense(x))  # (N, units)
            x = dropout(x, keep.get(f"dropout_{number}"))  # (N, units)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
