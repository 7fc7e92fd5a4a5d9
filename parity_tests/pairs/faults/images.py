"""Faults of instance norms, and of layers that resize or rescale images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    fault("resizing.nearest", X,
        between(lambda L: L.Resizing(9, 8, interpolation="nearest", name="size")),
        resized(9, 8), "size", ("resizing.nearest",)),
]  # fmt: skip
