"""Layers that the classifiers need and Keras lacks, or builds from more than one of its own."""

from __future__ import annotations

from typing import Any

from keras_impl.framework import FLAVOUR, keras, tf
from parity.constants import as_float32
from parity.specs.cnn import CnnSpec
from parity.specs.rnn import RnnSpec


class SharedDropout(keras.layers.Layer):
    """Dropout by a keep mask from outside: x·keep/(1 − rate) while training, x otherwise.

    Source: Srivastava et al., "Dropout", 2014, in the form of ``keras.layers.Dropout``.
    A mask of shape (N, 1, 1, C) drops whole channels, as ``SpatialDropout2D`` does.
    """

    def __init__(self, rate: float, name: str) -> None:
        super().__init__(name=name)
        self.scale = 1.0 / (1.0 - rate)

    def call(self, x: Any, keep: Any = None, training: bool = False) -> Any:
        """Map x (N, …) with keep, bool and broadcastable to x, to x's shape and dtype.

        Raises:
            ValueError: there is no mask while training.
        """
        if not training:
            return x
        if keep is None:
            raise ValueError("keep: received None while training, accepted: a bool mask")
        return x * self.scale * tf.cast(keep, x.dtype)


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's own; in float64, Keras 2's running variance follows its float32 kernel.

    The fused kernel (4-D, float32) feeds the running variance with the unbiased batch variance,
    Keras 2's float64 path with the biased one. What users run is float32, so float64 follows it.
    Source: ``tf_keras/src/layers/normalization/batch_normalization.py``.
    """

    def call(self, x: Any, training: bool = False) -> Any:
        """Normalise x (N, H, W, C) over all but its last axis."""
        if FLAVOUR == "keras3" or not training or x.dtype != tf.float64:
            return super().call(x, training=training)
        kept = self.moving_variance * (1.0 - as_float32(1.0 - self.momentum))
        y = super().call(x, training=training)
        count = tf.cast(tf.size(x) // tf.shape(x)[-1], x.dtype)
        bessel = count / tf.maximum(count - 1.0, 1.0)
        self.moving_variance.assign(kept + (self.moving_variance - kept) * bessel)
        return y


def batch_norm(spec: CnnSpec, number: int) -> Any:
    """Batch normalisation ``number``, from 1, with the spec's numbers."""
    return BatchNormalization(
        axis=-1,
        momentum=as_float32(spec.batch_norm_momentum),
        epsilon=as_float32(spec.batch_norm_epsilon),
        name=f"batch_norm_{number}",
    )


def recurrent(spec: RnnSpec, number: int) -> Any:
    """Recurrent layer ``number``, from 1: (N, T, in) to (N, T, width), the last to (N, width)."""
    name = f"rnn_{number}"
    common = {"return_sequences": number < spec.recurrent_layers, "name": name}
    if spec.cell == "simple":
        layer = keras.layers.SimpleRNN(spec.units, activation="tanh", **common)
    elif spec.cell == "lstm":
        layer = keras.layers.LSTM(
            spec.units, activation="tanh", recurrent_activation="sigmoid", **common
        )
    else:
        layer = keras.layers.GRU(
            spec.units,
            activation="tanh",
            recurrent_activation="sigmoid",
            reset_after=spec.reset_after,
            **common,
        )
    if spec.bidirectional:
        return keras.layers.Bidirectional(layer, merge_mode="concat", name=name)
    return layer


def output_activation(head: str, output: str) -> Any:
    """What stands behind the logits: nothing, or the head's softmax or sigmoid."""
    activation = head if output == "probabilities" else "linear"
    return keras.layers.Activation(activation, name="probabilities")
