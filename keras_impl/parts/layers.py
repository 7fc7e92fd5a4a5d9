"""Layers of the classifiers that Keras lacks, or that combine several of its layers."""

from __future__ import annotations

import functools
from typing import Any

from keras_impl.framework import FLAVOUR, keras, tf
from keras_impl.parts.regularisation import of_weights
from parity.constants import as_float32
from parity.specs.cnn import CnnSpec
from parity.specs.feed_forward import FeedForwardSpec
from parity.specs.rnn import RnnSpec
from parity.specs.softmax import SoftmaxSpec


class SharedDropout(keras.layers.Dropout):
    """Keras's own dropout, or with a given keep mask: x·keep/(1 − rate) in training mode.

    Source: Srivastava et al., "Dropout", 2014. ``spatial`` drops whole channels of images, as
    ``SpatialDropout2D`` does, where the mask is (N, 1, 1, C).
    """

    def __init__(self, rate: float, name: str, spatial: bool = False) -> None:
        super().__init__(rate, noise_shape=(None, 1, 1, None) if spatial else None, name=name)
        self.scale = 1.0 / (1.0 - rate)

    def call(self, x: Any, keep: Any = None, training: bool = False) -> Any:
        """Map x (N, …) and keep (bool, broadcastable to x) to x's shape and dtype."""
        if keep is None or not training:
            return super().call(x, training=training)
        return x * self.scale * tf.cast(keep, x.dtype)


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer, except that Keras 2's float64 running variance follows its float32 kernel.

    The fused kernel (4-D, float32) updates the running variance with the unbiased batch variance,
    Keras 2's float64 path with the biased one. Users run float32, so float64 follows it.
    Source: ``tf_keras/src/layers/normalization/batch_normalization.py``.
    """

    def call(self, x: Any, training: bool = False) -> Any:
        """Normalise x (N, H, W, C) over all axes except the last."""
        if FLAVOUR == "keras3" or not training or x.dtype != tf.float64:
            return super().call(x, training=training)
        kept = self.moving_variance * (1.0 - as_float32(1.0 - self.momentum))
        y = super().call(x, training=training)
        count = tf.cast(tf.size(x) // tf.shape(x)[-1], x.dtype)
        bessel = count / tf.maximum(count - 1.0, 1.0)
        self.moving_variance.assign(kept + (self.moving_variance - kept) * bessel)
        return y


def batch_norm(spec: CnnSpec, number: int) -> Any:
    """Batch normalisation ``number``, from 1, with the spec's values."""
    return BatchNormalization(
        axis=-1,
        momentum=as_float32(spec.batch_norm_momentum),
        epsilon=as_float32(spec.batch_norm_epsilon),
        name=f"batch_norm_{number}",
    )


def layer_norm(spec: SoftmaxSpec, number: int) -> Any:
    """Layer normalisation ``number``, from 1, over the last axis, with the spec's ε.

    Source: Ba et al., "Layer normalization", 2016, equations 3 and 4 with ε under the root.
    """
    return keras.layers.LayerNormalization(
        axis=-1,
        epsilon=as_float32(spec.layer_norm_epsilon),
        center=True,
        scale=True,
        name=f"layer_norm_{number}",
    )


def activation(spec: FeedForwardSpec, name: str) -> Any:
    """The spec's activation layer.

    Keras rounds the constants of leaky relu and gelu to float32, also in float64; the twin uses the
    same constants.
    """
    if spec.activation == "relu":
        return keras.layers.ReLU(name=name)
    if spec.activation == "leaky_relu":
        return keras.layers.LeakyReLU(as_float32(spec.negative_slope), name=name)
    if spec.activation == "gelu":
        gelu = functools.partial(keras.activations.gelu, approximate=False)
        return keras.layers.Activation(gelu, name=name)
    return keras.layers.Activation("tanh", name=name)


def pool(spec: CnnSpec, number: int) -> Any:
    """Pooling layer ``number``, from 1: (N, H, W, C) to (N, H/2, W/2, C); 'same' rounds up.

    With 'same' an odd last row or column forms its own window, without padding.
    """
    kind = keras.layers.MaxPooling2D if spec.pool == "max" else keras.layers.AveragePooling2D
    return kind(2, strides=2, padding=spec.pool_padding, name=f"pool_{number}")


class TokenEmbedding(keras.layers.Embedding):
    """Quantise values from 0 to 1 to tokens, and map each token to a trained vector.

    The token is rint(x·(tokens − 1)), limited to 0 … tokens − 1 and computed in float32, the dtype
    of the data, so that it does not depend on the model's dtype. Row 0 is trained like the others.
    """

    def __init__(self, spec: RnnSpec, name: str) -> None:
        super().__init__(spec.tokens, spec.embedding, mask_zero=False, name=name)
        self.highest = float(spec.tokens - 1)

    def call(self, x: Any) -> Any:
        """Map x (N, T, 1) to (N, T, embedding)."""
        levels = tf.round(tf.cast(x[..., 0], tf.float32) * self.highest)  # half to even, (N, T)
        return super().call(tf.cast(tf.clip_by_value(levels, 0.0, self.highest), tf.int32))


def recurrent(spec: RnnSpec, number: int) -> Any:
    """Recurrent layer ``number``, from 1: (N, T, in) to (N, T, width), the last to (N, width)."""
    name = f"rnn_{number}"
    common = {
        "return_sequences": number < spec.recurrent_layers,
        **of_weights(spec),
        "name": name,
    }
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


def unroll(layer: Any) -> None:
    """Make a recurrent layer build a graph without a loop from its next call on.

    TensorFlow's loops take a third of the time of small layers; this graph takes longer to build.
    """
    for own in (
        layer,
        getattr(layer, "forward_layer", None),
        getattr(layer, "backward_layer", None),
    ):
        if own is not None:
            own.unroll = True
            own._could_use_gpu_kernel = False  # Keras 2 would use its own loop


def output_activation(head: str, output: str) -> Any:
    """The layer after the logits: identity, or the head's softmax or sigmoid."""
    function = head if output == "probabilities" else "linear"
    return keras.layers.Activation(function, name="probabilities")
