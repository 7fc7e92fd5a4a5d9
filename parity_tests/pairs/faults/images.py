"""Faults of instance norms, and of layers that resize or rescale images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity_tests.pairs.faults.small import fault
from parity_tests.pairs.zoo.building import KERAS_3, Net

X = (2, 5, 7, 4)


def between(*layers: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    """Layers between two convolutions."""

    def build(L: Any) -> list[Any]:
        return [L.Conv2D(4, 1, name="a"), *(one(L) for one in layers), L.Conv2D(3, 1, name="b")]

    return build


def port(run: Callable[[Any, Tensor], Tensor], channels: int = 4, **parts: Any) -> Any:
    """A function that builds the port, with what it does between the convolutions."""
    return lambda: Net(
        lambda self, x: self.b(run(self, self.a(x))),
        a=nn.Conv2d(4, 4, 1),
        b=nn.Conv2d(channels, 3, 1),
        **{name: part() for name, part in parts.items()},
    )


def normed(**options: Any) -> Any:
    """A port with an instance norm."""
    return port(lambda self, x: self.norm(x), norm=lambda: nn.InstanceNorm2d(4, **options))


def resized(*size: int, **options: Any) -> Any:
    """A port that resizes its input."""
    return port(lambda self, x: F.interpolate(x, size, **options))


def scaled(divisor: float, offset: float = 0.0) -> Any:
    """Keras's layers with a rescaling."""
    return between(lambda L: L.Rescaling(1 / divisor, offset=offset, name="scale"))


def deep(function: str) -> Any:
    """Keras's layers with one of TensorFlow's that rearrange channels."""
    import tensorflow as tf

    called = getattr(tf.nn, function)
    return lambda L: [
        L.Conv2D(8, 1, name="a"),
        L.Lambda(lambda x: called(x, 2), name="deep"),
        L.Conv2D(3, 1, name="b"),
    ]


def buffer(*values: float) -> Any:
    """A function that makes a buffer of one number per channel."""
    return lambda: nn.Buffer(torch.tensor(values)[:, None, None])


MEAN, VARIANCE = buffer(0.25, 0.5, -0.5, 1.0), buffer(0.25, 4.0, 0.5, 2.0)
NORMED = between(
    lambda L: L.Normalization(
        mean=(0.25, 0.5, -0.5, 1.0), variance=(0.25, 4.0, 0.5, 2.0), name="norm"
    )
)
INSTANCES = between(lambda L: L.GroupNormalization(-1, epsilon=1e-5, name="norm"))

FAULTS = [
    fault("group_norm.epsilon.of_instances", X,
        between(lambda L: L.GroupNormalization(-1, name="norm")), normed(affine=True), "norm",
        ("group_norm.epsilon",)),
    fault("group_norm.groups.of_instances", X,
        between(lambda L: L.GroupNormalization(2, epsilon=1e-5, name="norm")), normed(affine=True),
        "norm", ("group_norm.groups",)),
    fault("group_norm.running_statistics", X, INSTANCES,
        normed(affine=True, track_running_stats=True), "norm", ("group_norm.running_statistics",)),
    fault("group_norm.gamma", X, INSTANCES, normed(), "norm",
        ("group_norm.gamma", "group_norm.beta")),
    fault("resizing.interpolation", X, between(lambda L: L.Resizing(9, 8, name="size")),
        resized(9, 8), "size", ("resizing.interpolation",)),
    fault("resizing.interpolation.doubled", X, between(lambda L: L.Resizing(10, 14, name="size")),
        resized(10, 14), "size", ("resizing.interpolation",)),
    fault("resizing.align_corners", X, between(lambda L: L.Resizing(9, 8, name="size")),
        resized(9, 8, mode="bilinear", align_corners=True), "size", ("resizing.align_corners",)),
    fault("resizing.antialias", X, between(lambda L: L.Resizing(3, 3, name="size")),
        resized(3, 3, mode="bilinear", antialias=True), "size", ("resizing.antialias",)),
    fault("resizing.not_averaged", X,
        between(lambda L: L.Resizing(3, 3, antialias=True, name="size")),
        resized(3, 3, mode="bilinear"), "size", ("resizing.antialias",), flavours=KERAS_3),
    fault("rescaling.offset", X, scaled(255.0, -1.0), port(lambda _, x: x / 255), "scale",
        ("rescaling.offset",)),
    fault("rescaling.offset_first", X, scaled(127.5, -1.0), port(lambda _, x: (x - 1) / 127.5),
        "scale", ("rescaling.offset",)),
    fault("rescaling.scale", X, scaled(127.5, -1.0), port(lambda _, x: x / 255 - 1), "scale",
        ("rescaling.scale",)),
    fault("rescaling.missing", X, scaled(255.0), port(lambda _, x: x), "b",
        ("input.scale",)),
    fault("normalization.variance", X, NORMED,
        port(lambda self, x: (x - self.mean) / self.square, mean=MEAN, square=VARIANCE), "norm",
        ("normalization.variance",)),
    fault("normalization.mean", X, NORMED,
        port(lambda self, x: x / self.square.sqrt(), square=VARIANCE), "norm",
        ("normalization.mean",)),
    fault("depth_to_space.order", X, deep("depth_to_space"),
        lambda: Net(lambda self, x: self.b(self.up(self.a(x))), a=nn.Conv2d(4, 8, 1),
                    up=nn.PixelShuffle(2), b=nn.Conv2d(2, 3, 1)), "deep",
        ("depth_to_space.order",)),
    fault("space_to_depth.order", (2, 4, 6, 4), deep("space_to_depth"),
        lambda: Net(lambda self, x: self.b(F.pixel_unshuffle(self.a(x), 2)), a=nn.Conv2d(4, 8, 1),
                    b=nn.Conv2d(32, 3, 1)), "deep", ("space_to_depth.order",)),
    fault("resizing.nearest", X,
        between(lambda L: L.Resizing(9, 8, interpolation="nearest", name="size")),
        resized(9, 8), "size", ("resizing.nearest",)),
]  # fmt: skip
