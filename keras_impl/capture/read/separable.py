"""A separable convolution as the two convolutions that it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras_impl.capture.read import windowed
from parity.reference.layers.windowed import conv

KINDS = ("SeparableConv1D", "SeparableConv2D", "SeparableConvolution1D", "SeparableConvolution2D")


@dataclass
class Part:
    """One of them, called like a layer.

    Attributes:
        layer: the separable one.
        config: this one's.
        weights: its variables by canonical name.
    """

    layer: Any
    config: conv.Conv | conv.DepthwiseConv
    weights: dict[str, Any]

    def __call__(self, x: Any) -> Any:
        """Of x as the layer takes it."""
        import tensorflow as tf

        first = self.layer.data_format == "channels_first"
        if first:
            x = tf.experimental.numpy.moveaxis(x, 1, -1)
        y = self._apart(x)
        return tf.experimental.numpy.moveaxis(y, -1, 1) if first else y

    def _apart(self, x: Any) -> Any:
        import tensorflow as tf

        config, flat = self.config, len(self.config.kernel_size) == 1
        if isinstance(config, conv.Conv):
            y = tf.tensordot(x, tf.reshape(self.weights["kernel"], self._matrix), 1)
            return y + self.weights["bias"] if "bias" in self.weights else y
        kernel, sizes = tf.convert_to_tensor(self.weights["depthwise_kernel"]), config.dilation_rate
        strides, word = config.strides, config.padding
        if flat:
            x, kernel = x[:, None], kernel[None]
            sizes, strides = (1, *sizes), (strides[0], *strides)
            if word == "causal":
                x = tf.pad(x, ((0, 0), (0, 0), ((kernel.shape[1] - 1) * sizes[1], 0), (0, 0)))
                word = "valid"
        found = tf.nn.depthwise_conv2d(
            x, kernel, (1, *strides, 1), str(word).upper(), dilations=sizes
        )
        return found[:, 0] if flat else found

    @property
    def _matrix(self) -> tuple[int, int]:
        shape = self.weights["kernel"].shape
        return int(shape[-2]), int(shape[-1])


def parts(layer: Any) -> tuple[tuple[str, Part], tuple[str, Part]]:
    """The depthwise one without a bias, and the one of size 1 over its channels."""
    whole = windowed.separable(layer)
    rank = len(whole.kernel_size)
    common = {"activation": None}
    depthwise = conv.DepthwiseConv(
        kernel_size=whole.kernel_size,
        strides=whole.strides,
        padding=whole.padding,
        dilation_rate=whole.dilation_rate,
        depth_multiplier=whole.depth_multiplier,
        use_bias=False,
        **common,
    )
    still = (1,) * rank
    pointwise = conv.Conv(
        filters=whole.filters,
        kernel_size=still,
        strides=still,
        padding="valid",
        dilation_rate=still,
        groups=1,
        use_bias=whole.use_bias,
        **common,
    )
    own = {"kernel": layer.pointwise_kernel}
    if whole.use_bias:
        own["bias"] = layer.bias
    return (
        ("depthwise", Part(layer, depthwise, {"depthwise_kernel": layer.depthwise_kernel})),
        ("pointwise", Part(layer, pointwise, own)),
    )
