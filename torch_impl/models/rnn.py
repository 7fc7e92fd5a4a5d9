"""Recurrent classifier. Twin: ``keras_impl/models/rnn.py``.

Deliberate differences: here the sequences are packed, in the twin the lengths become a mask.
"""

from __future__ import annotations

from torch import Tensor, nn

from parity.specs.rnn import RnnSpec
from torch_impl.parts.layers import Masks, Recurrent, TokenEmbedding, output_activation


class RnnClassifier(nn.Module):
    """(Masked) sequence (→ embedding) → recurrent(units) … → dense(classes)."""

    def __init__(self, spec: RnnSpec) -> None:
        super().__init__()
        self.variable_length = spec.variable_length
        self.embedding = TokenEmbedding(spec) if spec.tokens else None
        self.rnn = nn.ModuleList(
            Recurrent(spec, number) for number in range(1, spec.recurrent_layers + 1)
        )
        self.logits = nn.Linear(spec.width, spec.outputs)
        self.probabilities = output_activation(spec.head, spec.output)

    def forward(self, x: Tensor, lengths: Tensor | None = None, keep: Masks = None) -> Tensor:
        """Map x (N, T, D) with lengths (N,) to logits or probabilities (N, outputs)."""
        lengths = lengths if self.variable_length else None
        if self.embedding is not None:
            x = self.embedding(x)  # (N, T, embedding)
        for rnn in self.rnn:
            x = rnn(x, lengths)  # (N, T, width), the last (N, width)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
