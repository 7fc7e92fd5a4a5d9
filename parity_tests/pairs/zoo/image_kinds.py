"""Pairs of instance norms, resized images, and rearranged channels."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn import functional as F

from parity_tests.pairs.zoo.building import IMAGE, KERAS_3, SERIES, VOLUME, one, only, turned


def instances(L: Any, affine: bool = True) -> Any:
    """Keras's layer that is PyTorch's InstanceNorm."""
    return L.GroupNormalization(groups=-1, epsilon=1e-5, center=affine, scale=affine)


def interpolated(*size: int, mode: str = "bilinear", **options: Any) -> Any:
    """A module that resizes its input."""
    return only(lambda x: F.interpolate(x, size, mode=mode, **options))


def depth_to_space(x: Any) -> Any:
    """A TensorFlow tensor's channels as blocks of four pixels."""
    import tensorflow as tf

    return tf.nn.depth_to_space(x, 2)


INSTANCES = [
    one("instance_norm1d", SERIES, instances, lambda: turned(nn.InstanceNorm1d(4, affine=True))),
    one("instance_norm2d", IMAGE, instances, lambda: nn.InstanceNorm2d(4, affine=True)),
    one("instance_norm3d", VOLUME, instances, lambda: nn.InstanceNorm3d(2, affine=True)),
    one(
        "instance_norm.no_weights",
        IMAGE,
        lambda L: instances(L, affine=False),
        lambda: nn.InstanceNorm2d(4),
    ),
    one(
        "instance_norm.function",
        IMAGE,
        lambda L: instances(L, affine=False),
        only(lambda x: F.instance_norm(x, eps=1e-5)),
    ),
    one(
        "group_norm.function",
        IMAGE,
        lambda L: L.GroupNormalization(2, epsilon=1e-5, center=False, scale=False),
        only(lambda x: F.group_norm(x, 2)),
    ),
    one(
        "group_norm.all_channels",
        IMAGE,
        lambda L: L.GroupNormalization(1, epsilon=1e-5),
        lambda: nn.GroupNorm(1, 4),
    ),
    one(
        "group_norm.each_channel",
        IMAGE,
        lambda L: L.GroupNormalization(4, epsilon=1e-5),
        lambda: nn.GroupNorm(4, 4),
    ),
]

RESIZED = [
    one("resizing.up", IMAGE, lambda L: L.Resizing(13, 11), interpolated(13, 11)),
    one("resizing.down", IMAGE, lambda L: L.Resizing(5, 3), interpolated(5, 3)),
    one("resizing.doubled", IMAGE, lambda L: L.Resizing(18, 16), interpolated(18, 16)),
    one(
        "resizing.antialias",
        IMAGE,
        lambda L: L.Resizing(4, 3, antialias=True),
        interpolated(4, 3, antialias=True),
        flavours=KERAS_3,
    ),
    one(
        "resizing.nearest",
        IMAGE,
        lambda L: L.Resizing(13, 11, interpolation="nearest"),
        interpolated(13, 11, mode="nearest-exact"),
    ),
    one(
        "resizing.nearest_doubled",
        IMAGE,
        lambda L: L.Resizing(18, 16, interpolation="nearest"),
        lambda: nn.Upsample((18, 16)),
    ),
]

SCALED = [
    one("rescaling", IMAGE, lambda L: L.Rescaling(0.5, offset=-1.0), only(lambda x: x / 2 - 1), 0,
        alone=("Rescaling",)),
    one("rescaling.subtracted_first", IMAGE, lambda L: L.Rescaling(0.5, offset=-1.0),
        only(lambda x: (x - 2) / 2), 0, alone=("Rescaling",)),
    one("normalization", IMAGE, lambda L: L.Normalization(mean=0.5, variance=0.25),
        only(lambda x: (x - 0.5) / 0.5), 0, alone=("Normalization",)),
    one("depth_to_space", IMAGE, lambda L: L.Lambda(depth_to_space),
        only(lambda x: F.pixel_shuffle(x, 2)), 0, alone=("Lambda",)),
    one("depth_to_space.reordered", (2, 3, 5, 8), lambda L: L.Lambda(depth_to_space),
        only(lambda x: F.pixel_shuffle(x.unflatten(1, (4, 2)).transpose(1, 2).flatten(1, 2), 2)),
        0, alone=("Lambda",)),
]  # fmt: skip
