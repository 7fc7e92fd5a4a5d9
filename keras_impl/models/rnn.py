"""Recurrent classifier. Twin: ``torch_impl/models/rnn.py``.

Deliberate differences: here the lengths become a mask, in the twin the sequences are packed.
"""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras, tf
from keras_impl.parts.layers import TokenEmbedding, output_activation, recurrent
from keras_impl.parts.regularisation import regularisation
from parity.specs.rnn import RnnSpec


class RnnClassifier(keras.Model):
    """(Masked) sequence (→ embedding) → recurrent(units) … → dense(classes)."""

    def __init__(self, spec: RnnSpec) -> None:
        super().__init__(name=spec.family)
        self.variable_length = spec.variable_length
        self.embedding = TokenEmbedding(spec, name="embedding") if spec.tokens else None
        self.rnn = [recurrent(spec, number) for number in range(1, spec.recurrent_layers + 1)]
        self.logits = keras.layers.Dense(spec.outputs, **regularisation(spec), name="logits")
        self.probabilities = output_activation(spec.head, spec.output)

    def call(self, x: Any, lengths: Any = None, keep: Any = None, training: bool = False) -> Any:
        """Map x (N, T, D) with lengths (N,), or both in a list, to (N, outputs)."""
        x, lengths = x if isinstance(x, (list, tuple)) else (x, lengths)
        mask = tf.sequence_mask(lengths, x.shape[1]) if self.variable_length else None  # (N, T)
        if self.embedding is not None:
            x = self.embedding(x)  # (N, T, embedding)
        for rnn in self.rnn:
            x = rnn(x, mask=mask, training=training)  # (N, T, width), the last (N, width)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
