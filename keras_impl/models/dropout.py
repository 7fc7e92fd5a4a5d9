"""Dense classifier with dropout. Twin: ``torch_impl/models/dropout.py``.

Deliberate differences: none. Random draws are inputs, so that both drop the same units.
"""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras
from keras_impl.parts.layers import activation, output_activation
from keras_impl.parts.noise import dropout, noise
from keras_impl.parts.regularisation import regularisation
from parity.specs.dropout import DropoutSpec


class DropoutClassifier(keras.Model):
    """Flatten (→ noise) → [dense(hidden) → activation → dropout(rate)] … → dense(classes)."""

    all_dense = True

    def __init__(self, spec: DropoutSpec) -> None:
        super().__init__(name=spec.family)
        numbers = range(1, len(spec.hidden) + 1)
        self.flatten = keras.layers.Flatten(name="flatten")
        self.noise = noise(spec)
        self.dense = [
            keras.layers.Dense(units, **regularisation(spec), name=f"dense_{n}")
            for n, units in zip(numbers, spec.hidden, strict=True)
        ]
        self.dense_activation = [activation(spec, f"dense_activation_{n}") for n in numbers]
        self.dropout = [dropout(spec, n) for n in numbers]
        self.logits = keras.layers.Dense(spec.outputs, **regularisation(spec), name="logits")
        self.probabilities = output_activation(spec.head, spec.output)

    def call(self, x: Any, lengths: Any = None, keep: Any = None, training: bool = False) -> Any:
        """Map x (N, …) and random draws (N, units) by layer name to (N, outputs)."""
        keep = keep or {}
        x = self.flatten(x)  # (N, features)
        if self.noise is not None:
            x = self.noise(x, keep.get("noise"), training=training)
        for n in range(len(self.dense)):
            x = self.dense_activation[n](self.dense[n](x))  # (N, units)
            x = self.dropout[n](x, keep.get(f"dropout_{n + 1}"), training=training)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
