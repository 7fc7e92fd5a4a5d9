"""Softmax regression and the multilayer perceptron. Twin: ``torch_impl/models/softmax.py``.

Deliberate differences: none.
"""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras
from keras_impl.parts.layers import activation, layer_norm, output_activation
from keras_impl.parts.noise import noise
from keras_impl.parts.regularisation import regularisation
from parity.specs.softmax import SoftmaxSpec


class SoftmaxClassifier(keras.Model):
    """Flatten (→ noise) → [dense(hidden) → layer norm → activation] … → dense(classes)."""

    all_dense = True

    def __init__(self, spec: SoftmaxSpec) -> None:
        super().__init__(name=spec.family)
        numbers = range(1, len(spec.hidden) + 1)
        self.flatten = keras.layers.Flatten(name="flatten")
        self.noise = noise(spec)
        self.dense = [
            keras.layers.Dense(units, **regularisation(spec), name=f"dense_{n}")
            for n, units in zip(numbers, spec.hidden, strict=True)
        ]
        self.layer_norm = [layer_norm(spec, n) for n in numbers if spec.layer_norm]
        self.dense_activation = [activation(spec, f"dense_activation_{n}") for n in numbers]
        self.logits = keras.layers.Dense(spec.outputs, **regularisation(spec), name="logits")
        self.probabilities = output_activation(spec.head, spec.output)

    def call(self, x: Any, lengths: Any = None, keep: Any = None, training: bool = False) -> Any:
        """Map x (N, …) and random draws for the noise (N, features) to (N, outputs)."""
        keep = keep or {}
        x = self.flatten(x)  # (N, features)
        if self.noise is not None:
            x = self.noise(x, keep.get("noise"), training=training)
        for n in range(len(self.dense)):
            x = self.dense[n](x)  # (N, units)
            if self.layer_norm:
                x = self.layer_norm[n](x)
            x = self.dense_activation[n](x)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
