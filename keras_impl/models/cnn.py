"""Convolutional classifier. Twin: ``torch_impl/models/cnn.py``.

Deliberate differences: none. The twin computes channels-first and pads 'same' by hand.
"""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras
from keras_impl.layers import SharedDropout, batch_norm, output_activation
from parity.specs.cnn import CnnSpec


class CnnClassifier(keras.Model):
    """[conv → batch norm → relu → max-pool → spatial dropout] … → flatten → dense … → dense(classes)."""

    def __init__(self, spec: CnnSpec) -> None:
        super().__init__(name=spec.family)
        self.conv, self.batch_norm, self.relu, self.max_pool, self.spatial_dropout = (
            [],
            [],
            [],
            [],
            [],
        )
        for number, channels in enumerate(spec.channels, 1):
            self.conv.append(
                keras.layers.Conv2D(
                    channels,
                    spec.kernel_size,
                    strides=spec.stride,
                    padding="same",
                    name=f"conv_{number}",
                )
            )
            self.batch_norm.append(
                batch_norm(spec, f"batch_norm_{number}") if spec.batch_norm else None
            )
            self.relu.append(keras.layers.ReLU(name=f"relu_{number}"))
            self.max_pool.append(keras.layers.MaxPooling2D(2, name=f"max_pool_{number}"))
            self.spatial_dropout.append(
                SharedDropout(spec.spatial_rate, name=f"spatial_dropout_{number}")
            )
        self.flatten = keras.layers.Flatten(name="flatten")
        self.dense, self.dense_relu = [], []
        for number, units in enumerate(spec.hidden, 1):
            self.dense.append(keras.layers.Dense(units, name=f"dense_{number}"))
            self.dense_relu.append(keras.layers.ReLU(name=f"dense_relu_{number}"))
        self.logits = keras.layers.Dense(spec.outputs, name="logits")
        self.probabilities = output_activation(spec.head, spec.output)

    def call(self, x: Any, lengths: Any = None, keep: Any = None, training: bool = False) -> Any:
        """Map x (N, H, W, C) and keep masks (N, 1, 1, C) by layer to (N, outputs)."""
        keep = keep or {}
        for conv, norm, relu, pool, dropout in zip(
            self.conv, self.batch_norm, self.relu, self.max_pool, self.spatial_dropout, strict=True
        ):
            x = conv(x)  # (N, ⌈H/stride⌉, ⌈W/stride⌉, channels)
            if norm is not None:
                x = norm(x, training=training)
            x = pool(relu(x))  # (N, ⌊H/2⌋, ⌊W/2⌋, channels)
            x = dropout(x, keep=keep.get(dropout.name), training=training)
        x = self.flatten(x)  # (N, H·W·channels), in that order
        for dense, relu in zip(self.dense, self.dense_relu, strict=True):
            x = relu(dense(x))  # (N, units)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
