"""Demonstrations of the differences between convolutions, by id."""

from __future__ import annotations

from typing import Any

from torch.nn import functional as F

from parity.reference.layers.windowed.conv import Conv, DepthwiseConv, SeparableConv
from parity.reference.layers.windowed.geometry import same
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import first, keras_layer, last, normal, out, t, weights_of

IMAGES = normal(2, 8, 8, 3)


def conv(
    size: int, stride: int, padding: str, dilation: int = 1, groups: int = 1, rank: int = 2
) -> Conv:
    return Conv(
        filters=4,
        kernel_size=(size,) * rank,
        strides=(stride,) * rank,
        padding=padding,
        dilation_rate=(dilation,) * rank,
        groups=groups,
        activation="relu" if stride == 2 else None,
        use_bias=stride != 3,
    )


REFERENCES: list[tuple[Any, Any, dict[str, Any]]] = [
    (conv(3, 1, "valid"), IMAGES, {}),
    (conv(3, 2, "same"), IMAGES, {}),
    (conv(2, 1, "same"), normal(2, 7, 9, 3), {}),
    (conv(4, 3, "same"), normal(2, 7, 9, 3), {}),
    (conv(3, 1, "same", dilation=2), IMAGES, {}),
    (conv(3, 2, "valid", groups=2), normal(2, 7, 9, 4), {}),
    (conv(3, 1, "causal", dilation=2, rank=1), normal(2, 10, 3), {}),
    (conv(3, 2, "causal", rank=1), normal(2, 10, 3), {}),
    (conv(5, 2, "same", rank=1), normal(2, 10, 3), {}),
    (conv(2, 2, "same", rank=3), normal(2, 3, 4, 5, 2), {}),
    *(
        (
            kind(
                kernel_size=(3,) * rank,
                strides=(stride,) * rank,
                padding=padding,
                dilation_rate=(1,) * rank,
                depth_multiplier=2,
                activation=None,
                use_bias=True,
                **more,
            ),
            normal(2, *(8, 7)[:rank], 3),
            {},
        )
        for kind, more in ((DepthwiseConv, {}), (SeparableConv, {"filters": 5}))
        for rank in (1, 2)
        for stride, padding in ((1, "valid"), (2, "same"))
    ),
]


def kernel_layout(flavour: str) -> Shown:
    layer = keras_layer("Conv2D", IMAGES, filters=3, kernel_size=3)
    kernel, bias = map(t, weights_of(layer).values())
    axes = (3, 2, 1, 0), (3, 2, 0, 1)
    ports = [F.conv2d(first(IMAGES), kernel.permute(order), bias) for order in axes]
    return Shown(out(layer, IMAGES), *map(last, ports))


def input_layout(flavour: str) -> Shown:
    layer = keras_layer("Conv2D", IMAGES, filters=3, kernel_size=3)
    kernel, bias = map(t, weights_of(layer).values())
    fed = t(IMAGES).reshape(2, 3, 8, 8), first(IMAGES)
    ports = [F.conv2d(x, kernel.permute(3, 2, 0, 1), bias) for x in fed]
    return Shown(out(layer, IMAGES), *map(last, ports))


def same_padding(flavour: str) -> Shown:
    layer = keras_layer("Conv2D", IMAGES, filters=3, kernel_size=3, strides=2, padding="same")
    kernel, bias = map(t, weights_of(layer).values())
    weight = kernel.permute(3, 2, 0, 1)
    before, after = same(8, 3, 2)
    x = F.pad(first(IMAGES), (before, after, before, after))
    naive = F.conv2d(first(IMAGES), weight, bias, 2, 1)
    return Shown(out(layer, IMAGES), last(naive), last(F.conv2d(x, weight, bias, 2)))


def causal_padding(flavour: str) -> Shown:
    x = normal(2, 10, 3)
    given = {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "causal"}
    layer = keras_layer("Conv1D", x, **given)
    kernel, bias = map(t, weights_of(layer).values())
    weight = kernel.permute(2, 1, 0)
    naive = F.conv1d(first(x), weight, bias, padding="same", dilation=2)
    faithful = F.conv1d(F.pad(first(x), (4, 0)), weight, bias, dilation=2)
    return Shown(out(layer, x), last(naive), last(faithful))


def depthwise_kernel(flavour: str) -> Shown:
    layer = keras_layer("DepthwiseConv2D", IMAGES, kernel_size=3, depth_multiplier=2)
    kernel, bias = map(t, weights_of(layer).values())
    axes = (3, 2, 0, 1), (2, 3, 0, 1)
    ports = [
        F.conv2d(first(IMAGES), kernel.permute(order).reshape(6, 1, 3, 3), bias, groups=3)
        for order in axes
    ]
    return Shown(out(layer, IMAGES), *map(last, ports))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "conv.kernel_layout": kernel_layout,
    "conv.input_layout": input_layout,
    "conv.same_padding": same_padding,
    "conv.causal_padding": causal_padding,
    "conv.depthwise_kernel": depthwise_kernel,
}
