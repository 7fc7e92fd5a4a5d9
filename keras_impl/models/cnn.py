"""Convolutional classifier. Twin: ``torch_impl/models/cnn.py``.

Deliberate differences: the twin computes channels-first, so it permutes images at the input and in
its flatten; it pads convolutions explicitly, because PyTorch's 'same' allows no stride.
"""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras
from keras_impl.parts.augmentation import augmentation
from keras_impl.parts.layers import SharedDropout, activation, batch_norm, output_activation, pool
from keras_impl.parts.noise import noise
from keras_impl.parts.regularisation import regularisation
from parity.specs.cnn import CnnSpec


class CnnClassifier(keras.Model):
    """[conv → batch norm → activation → pool → dropout] … → dense … → dense(classes).

    Before it, augmentation and noise, if the spec has them.
    """

    def __init__(self, spec: CnnSpec) -> None:
        super().__init__(name=spec.family)
        blocks, numbers = range(1, len(spec.channels) + 1), range(1, len(spec.hidden) + 1)
        self.augmentation = augmentation(spec)
        self.noise = noise(spec)
        self.conv = [
            keras.layers.Conv2D(
                out,
                spec.kernel_size,
                strides=spec.stride,
                padding="same",
                **regularisation(spec, axis=(0, 1, 2)),
                name=f"conv_{n}",
            )
            for n, out in zip(blocks, spec.channels, strict=True)
        ]
        self.batch_norm = [batch_norm(spec, n) for n in blocks if spec.batch_norm]
        self.activation = [activation(spec, f"activation_{n}") for n in blocks]
        self.pool = [pool(spec, n) for n in blocks]
        self.spatial_dropout = [
            SharedDropout(spec.spatial_rate, name=f"spatial_dropout_{n}", spatial=True)
            for n in blocks
        ]
        self.flatten = keras.layers.Flatten(name="flatten")
        self.dense = [
            keras.layers.Dense(units, **regularisation(spec), name=f"dense_{n}")
            for n, units in zip(numbers, spec.hidden, strict=True)
        ]
        self.dense_activation = [activation(spec, f"dense_activation_{n}") for n in numbers]
        self.logits = keras.layers.Dense(spec.outputs, **regularisation(spec), name="logits")
        self.probabilities = output_activation(spec.head, spec.output)

    def call(self, x: Any, lengths: Any = None, keep: Any = None, training: bool = False) -> Any:
        """Map x (N, H, W, C) and random draws (N, …) by layer name to (N, outputs)."""
        keep = keep or {}
        if self.augmentation is not None:
            x = self.augmentation(x, keep.get("augmentation"), training=training)
        if self.noise is not None:
            x = self.noise(x, keep.get("noise"), training=training)
        for n in range(len(self.conv)):
            x = self.conv[n](x)  # (N, ⌈H/stride⌉, ⌈W/stride⌉, channels)
            if self.batch_norm:
                x = self.batch_norm[n](x, training=training)
            x = self.pool[n](self.activation[n](x))  # (N, H/2, W/2, channels)
            x = self.spatial_dropout[n](x, keep.get(f"spatial_dropout_{n + 1}"), training=training)
        x = self.flatten(x)  # (N, H·W·channels), in that order
        for n in range(len(self.dense)):
            x = self.dense_activation[n](self.dense[n](x))  # (N, units)
        x = self.logits(x)  # (N, outputs)
        return self.probabilities(x)  # (N, outputs)
