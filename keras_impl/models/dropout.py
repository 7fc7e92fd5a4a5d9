"""Dense classifier with dropout. Twin: ``torch_impl/models/dropout.py``.

Deliberate differences: none. The masks come from outside, so that both drop the same units.
"""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras
from keras_impl.layers import SharedDropout, output_activation
from parity.specs.dropout import DropoutSpec


class DropoutClassifier(keras.Model):
    """Flatten → [dense(hidden, relu) → dropout(rate)] … → dense(classes)."""

    def __init__(self, spec: DropoutSpec) -> None:
        super().__init__(name=spec.family)
        self.flatten = keras.layers.Flatten(name="flatten")
        self.dense, self.dense_relu, self.dropout = [], [], []
        for number, units in enumerate(spec.hidden, 1):
            self.dense.append(keras.layers.Dense(units, name=f"dense_{number}"))
            self.dense_relu.append(keras.layers.ReLU(name=f"dense_relu_{number}"))
            self.dropout.append(SharedDropout(spec.rate, name=f"dropout_{number}"))
        self.logits = keras.layers.Dense(spec.outputs, name="logits")
        self.probabilities = output_activation(spec.head, spec.output)

    def call(self, x: Any, lengths: Any = None, keep: Any = None, training: bool = False) -> Any:
        """Map x (N, …) and keep masks (N, units) by layer to logits or probabilities (N, outputs)."""
        keep = keep or {}
        x = self.flatten(x)  # (N, features)
        for dense, relu, dropout in zip(self.dense, self.dense_relu, self.dropout, strict=True):
            x = relu(dense(x))  # (N, units)
            x = dropout(x, keep=keep.get(dropout.name), training=training)  # (N, units)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
