"""Softmax regression and the multilayer perceptron. Twin: ``torch_impl/models/softmax.py``.

Deliberate differences: none.
"""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras
from keras_impl.layers import output_activation
from parity.specs.softmax import SoftmaxSpec


class SoftmaxClassifier(keras.Model):
    """Flatten → dense(hidden, relu) … → dense(classes)."""

    def __init__(self, spec: SoftmaxSpec) -> None:
        super().__init__(name=spec.family)
        self.flatten = keras.layers.Flatten(name="flatten")
        self.dense, self.dense_relu = [], []
        for number, units in enumerate(spec.hidden, 1):
            self.dense.append(keras.layers.Dense(units, name=f"dense_{number}"))
            self.dense_relu.append(keras.layers.ReLU(name=f"dense_relu_{number}"))
        self.logits = keras.layers.Dense(spec.outputs, name="logits")
        self.probabilities = output_activation(spec.head, spec.output)

    def call(self, x: Any, lengths: Any = None, keep: Any = None, training: bool = False) -> Any:
        """Map x (N, …) to logits or probabilities (N, outputs); nothing here needs the rest."""
        x = self.flatten(x)  # (N, features)
        for dense, relu in zip(self.dense, self.dense_relu, strict=True):
            x = relu(dense(x))  # (N, units)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
