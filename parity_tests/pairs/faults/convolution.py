"""Faults of convolutions, pooling, padding, and of the order in which images are flattened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity_tests.pairs.faults.small import fault
from parity_tests.pairs.zoo.building import Net

X = (3, 8, 8, 3)
WORDS = (3, 9, 4)


def between(
    *layers: Callable[[Any], Any], filters: int = 4, **options: Any
) -> Callable[[Any], Any]:
    """A convolution, the layers of interest, and classes after a global average pool."""

    def build(L: Any) -> list[Any]:
        return [
            L.Conv2D(filters, 3, name="conv", **options),
            *(one(L) for one in layers),
            L.GlobalAveragePooling2D(name="all"),
            L.Dense(3, name="classes"),
        ]

    return build


class Port(nn.Module):
    """A convolution, a function, and classes after a global average pool."""

    def __init__(
        self, run: Callable[..., Tensor] = lambda _, x: x, classes: int = 4, **conv: Any
    ) -> None:
        super().__init__()
        options = {"in_channels": 3, "out_channels": 4, "kernel_size": 3, **conv}
        self.conv, self.classes = nn.Conv2d(**options), nn.Linear(classes, 3)
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        """Class scores of images (N, 3, 8, 8)."""
        return self.classes(self.run(self, self.conv(x)).mean((2, 3)))


def padded(*sides: int, value: float = 0.0) -> Callable[..., Tensor]:
    return lambda _, x: F.max_pool2d(F.pad(x, sides, value=value), 2, 1)


def resized(**options: Any) -> Callable[..., Tensor]:
    return lambda _, x: F.interpolate(x, scale_factor=2, **options)


def as_it_is(*axes: int) -> Callable[[Any], None]:
    def change(module: Any) -> None:
        weight = module.conv.weight.data
        weight.copy_(weight.permute(axes).reshape(weight.shape).clone())

    return change


def flipped(module: Any) -> None:
    module.conv.weight.data.copy_(module.conv.weight.data.flip(2, 3))


def depthwise(module: Any) -> None:
    """Read the memory of a kernel (h, w, c) as (c, h, w)."""
    weight = module.conv.weight.data
    raw = weight[:, 0].permute(1, 2, 0).contiguous()
    weight.copy_(raw.reshape(weight.shape))


def rows_as_they_are(module: Any) -> None:
    """Keep the rows in Keras's order, although PyTorch flattens channels-first."""
    weight = module.classes.weight.data
    weight.copy_(weight.reshape(3, 4, 6, 6).permute(0, 2, 3, 1).reshape(3, 144))


def transposed(**options: Any) -> Callable[[Any], list[Any]]:
    return lambda L: [L.Conv2DTranspose(4, 3, name="up", **options), L.GlobalAveragePooling2D()]


FAULTS = [
    fault("conv.same_padding", X, between(strides=2, padding="same"),
        lambda: Port(stride=2, padding=1), "conv", ("conv.same_padding",)),
    fault("conv.valid_for_same", X, between(padding="same"), Port, "conv", ("conv.same_padding",)),
    fault("conv.dilation", X, between(dilation_rate=2), Port, "conv", ("conv.dilation_rate",)),
    fault("conv.groups", (3, 8, 8, 4), between(), lambda: Port(in_channels=4, groups=2), "conv",
        ("conv.groups",)),
    fault("conv.strides", X, between(strides=2), Port, "conv", ("conv.strides",)),
    fault("conv.kernel_flipped", X, between(), Port, "conv", ("conv.kernel_flipped",),
        inject=flipped),
    fault("conv.kernel_transposed", X, between(), Port, "conv", ("conv.kernel_layout",),
        inject=as_it_is(0, 1, 3, 2)),
    fault("conv.kernel_reshaped", X, between(), Port, "conv", ("conv.kernel_layout",),
        inject=as_it_is(2, 3, 1, 0)),
    fault("conv.missing_bias", X, between(), lambda: Port(bias=False), "conv",
        ("conv.bias",)),
    fault("conv.causal_padding", WORDS,
        lambda L: [L.Conv1D(5, 3, padding="causal", name="conv"), L.Dense(3, name="b")],
        lambda: Net(lambda self, x: self.b(self.conv(x.transpose(1, 2)).transpose(1, 2)),
                    conv=nn.Conv1d(4, 5, 3, padding=1), b=nn.Linear(5, 3)),
        "conv", ("conv.causal_padding",)),
    fault("conv.depthwise_kernel", X,
        lambda L: [L.DepthwiseConv2D(3, name="conv"), L.GlobalAveragePooling2D(),
                   L.Dense(3, name="classes")],
        lambda: Port(out_channels=3, groups=3, classes=3), "conv", ("conv.depthwise_kernel",),
        inject=depthwise),
    fault("conv_transpose.same_padding", X, transposed(strides=2, padding="same"),
        lambda: Net(lambda self, x: self.up(x).mean((2, 3)),
                    up=nn.ConvTranspose2d(3, 4, 3, 2, padding=1, output_padding=1)),
        "up", ("conv_transpose.same_padding",)),
    fault("conv_transpose.kernel_layout", (3, 5, 5, 4), transposed(),
        lambda: Net(lambda self, x: self.conv(x).mean((2, 3)), conv=nn.ConvTranspose2d(4, 4, 3)),
        "up", ("conv_transpose.kernel_layout",), inject=as_it_is(1, 0, 2, 3)),
    fault("pool.max_same", X, between(lambda L: L.MaxPooling2D(3, 2, padding="same", name="pool")),
        lambda: Port(lambda _, x: F.max_pool2d(x, 3, 2, padding=1)), "pool",
        ("max_pool.same_padding",)),
    fault("pool.max_padded_with_zero", X,
        between(lambda L: L.MaxPooling2D(2, 1, padding="same", name="pool")),
        lambda: Port(padded(0, 1, 0, 1)), "pool", ("max_pool.padding_value",)),
    fault("pool.zeros_before_max", X,
        between(lambda L: L.ZeroPadding2D(1, name="zeros"),
                lambda L: L.MaxPooling2D(2, name="pool")),
        lambda: Port(lambda _, x: F.max_pool2d(x, 2, padding=1)), "pool",
        ("max_pool.padding_value",)),
    fault("pool.average_counts_padding", X,
        between(lambda L: L.AveragePooling2D(3, 2, padding="same", name="pool")),
        lambda: Port(lambda _, x: F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2)), "pool",
        ("average_pool.same_padding",)),
    fault("pool.average_counts_its_padding", (3, 9, 9, 3),
        between(lambda L: L.AveragePooling2D(3, 1, padding="same", name="pool")),
        lambda: Port(lambda _, x: F.avg_pool2d(x, 3, 1, padding=1)), "pool",
        ("average_pool.same_padding",)),
    fault("pool.average_for_max", X, between(lambda L: L.MaxPooling2D(2, name="pool")),
        lambda: Port(lambda _, x: F.avg_pool2d(x, 2)), "pool", ("max_pool.kind",)),
    fault("pool.size", X, between(lambda L: L.MaxPooling2D(3, 2, name="pool")),
        lambda: Port(lambda _, x: F.max_pool2d(x, 2, 2)), "pool", ("max_pool.pool_size",)),
    fault("pool.strides", X, between(lambda L: L.MaxPooling2D(2, name="pool")),
        lambda: Port(lambda _, x: F.max_pool2d(x, 2, 1)), "pool", ("max_pool.strides",)),
    fault("pool.global_max_for_average", X,
        lambda L: [L.Conv2D(4, 3, name="conv"), L.GlobalMaxPooling2D(name="pool"),
                   L.Dense(3, name="classes")],
        Port, "pool", ("global_max_pool.kind",)),
    fault("pool.missing", X, between(lambda L: L.MaxPooling2D(2, name="pool")), Port, "pool",
        ("structure.missing",)),
    fault("zero_padding.order", X,
        lambda L: [L.ZeroPadding2D(((0, 1), (1, 0)), name="pad"),
                   L.Conv2D(4, 3, strides=2, name="conv"), L.GlobalAveragePooling2D()],
        lambda: Net(lambda self, x: self.conv(F.pad(x, (0, 1, 1, 0))).mean((2, 3)),
                    conv=nn.Conv2d(3, 4, 3, 2)), "conv", ("zero_padding.order",)),
    fault("cropping.missing", X, between(lambda L: L.Cropping2D(1, name="crop")), Port, "crop",
        ("structure.missing",)),
    fault("up_sampling.align_corners", X,
        between(lambda L: L.UpSampling2D(2, interpolation="bilinear", name="up"),
                lambda L: L.MaxPooling2D(3, 2, name="pool")),
        lambda: Port(lambda _, x: F.max_pool2d(
            resized(mode="bilinear", align_corners=True)(_, x), 3, 2)),
        "up", ("up_sampling.align_corners",)),
    fault("up_sampling.bicubic", X,
        between(lambda L: L.UpSampling2D(2, interpolation="bicubic", name="up"),
                lambda L: L.MaxPooling2D(3, 2, name="pool")),
        lambda: Port(lambda _, x: F.max_pool2d(resized(mode="bicubic")(_, x), 3, 2)),
        "up", (), unnamed="bicubic interpolation has no reference"),
    fault("up_sampling.nearest_for_bilinear", X,
        between(lambda L: L.UpSampling2D(2, interpolation="bilinear", name="up"),
                lambda L: L.MaxPooling2D(3, 2, name="pool")),
        lambda: Port(lambda _, x: F.max_pool2d(resized(mode="nearest")(_, x), 3, 2)),
        "up", ("up_sampling.interpolation",)),
    fault("conv.activation_missing", X, between(activation="relu"), Port, "conv.relu",
        ("structure.missing",)),
    fault("flatten.order", X,
        lambda L: [L.Conv2D(4, 3, name="conv"), L.Flatten(name="flat"), L.Dense(3, name="classes")],
        lambda: Net(lambda self, x: self.classes(self.conv(x).flatten(1)), conv=nn.Conv2d(3, 4, 3),
                    classes=nn.Linear(144, 3)),
        "classes", ("flatten.order",), inject=rows_as_they_are),
    fault("image.transposed", X, between(), lambda: Net(
        lambda self, x: self.classes(self.conv(x.transpose(2, 3)).mean((2, 3))),
        conv=nn.Conv2d(3, 4, 3), classes=nn.Linear(4, 3)), "conv", (),
        unnamed="Keras has no layer that transposes images"),
    fault("channels.reversed", X, between(), lambda: Net(
        lambda self, x: self.classes(self.conv(torch.flip(x, (1,))).mean((2, 3))),
        conv=nn.Conv2d(3, 4, 3), classes=nn.Linear(4, 3)), "conv", (),
        unnamed="the order of the channels is not a setting"),
]  # fmt: skip
