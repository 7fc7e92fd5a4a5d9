"""Pairs of layers that permute, pad, crop or repeat entries."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from parity_tests.pairs.zoo.building import IMAGE, SERIES, VOLUME, Net, one, only, turned

MOVES = [
    one("reshape", (2, 6, 4), lambda L: L.Reshape((3, 8)), only(lambda x: x.reshape(-1, 3, 8)), 0),
    one(
        "permute",
        SERIES,
        (
            lambda L: L.Permute((2, 1)),
            lambda L: L.Dense(5, activation="relu"),
            lambda L: L.Permute((2, 1)),
            lambda L: L.Dense(3),
        ),
        lambda: Net(
            lambda self, x: self.b(F.relu(self.a(x.transpose(1, 2))).transpose(1, 2)),
            a=nn.Linear(7, 5),
            b=nn.Linear(4, 3),
        ),
        3,
    ),
    one(
        "zero_padding1d",
        SERIES,
        lambda L: L.ZeroPadding1D((2, 1)),
        only(lambda x: F.pad(x, (0, 0, 2, 1))),
    ),
    one(
        "zero_padding2d",
        IMAGE,
        lambda L: L.ZeroPadding2D(((0, 1), (2, 3))),
        lambda: nn.ZeroPad2d((2, 3, 0, 1)),
    ),
    one(
        "zero_padding2d.function",
        IMAGE,
        lambda L: L.ZeroPadding2D(1),
        only(lambda x: F.pad(x, (1, 1, 1, 1))),
    ),
    one(
        "zero_padding3d",
        VOLUME,
        lambda L: L.ZeroPadding3D((1, 2, 1)),
        lambda: nn.ZeroPad3d((1, 1, 2, 2, 1, 1)),
    ),
    one("cropping1d", SERIES, lambda L: L.Cropping1D((1, 2)), only(lambda x: x[:, 1:-2])),
    one(
        "cropping2d",
        IMAGE,
        lambda L: L.Cropping2D(((1, 2), (0, 3))),
        only(lambda x: x[:, :, 1:-2, :-3]),
    ),
    one(
        "cropping2d.pad",
        IMAGE,
        lambda L: L.Cropping2D(1),
        only(lambda x: F.pad(x, (-1, -1, -1, -1))),
    ),
    one("cropping3d", VOLUME, lambda L: L.Cropping3D(1), only(lambda x: x[..., 1:-1, 1:-1, 1:-1])),
    one(
        "up_sampling1d",
        SERIES,
        lambda L: L.UpSampling1D(2),
        lambda: turned(nn.Upsample(scale_factor=2)),
    ),
    one(
        "up_sampling2d",
        IMAGE,
        lambda L: L.UpSampling2D((2, 3)),
        lambda: nn.Upsample(scale_factor=(2, 3)),
    ),
    one(
        "up_sampling2d.function",
        IMAGE,
        lambda L: L.UpSampling2D(2),
        only(lambda x: F.interpolate(x, scale_factor=2, mode="nearest")),
    ),
    one(
        "up_sampling2d.bilinear",
        IMAGE,
        lambda L: L.UpSampling2D(2, interpolation="bilinear"),
        only(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)),
    ),
    one("up_sampling3d", VOLUME, lambda L: L.UpSampling3D(2), lambda: nn.Upsample(scale_factor=2)),
    one(
        "cropping2d.narrow",
        IMAGE,
        lambda L: L.Cropping2D(((1, 0), (0, 0))),
        only(lambda x: x.narrow(2, 1, 8)),
    ),
    one(
        "flipped",
        IMAGE,
        lambda L: L.Conv2D(3, 1),
        lambda: Net(lambda self, x: self.c(x.flip(2)).flip(2), c=nn.Conv2d(4, 3, 1)),
        apart=True,
    ),
    one(
        "up_sampling2d.size",
        IMAGE,
        lambda L: L.UpSampling2D(2),
        only(lambda x: F.interpolate(x, size=(18, 16))),
    ),
    one(
        "up_sampling2d.bilinear_size",
        IMAGE,
        lambda L: L.UpSampling2D((2, 3), interpolation="bilinear"),
        only(lambda x: F.interpolate(x, size=(18, 24), mode="bilinear")),
    ),
    one(
        "up_sampling2d.repeated",
        IMAGE,
        lambda L: L.UpSampling2D((2, 3)),
        only(lambda x: x.repeat_interleave(2, 2).repeat_interleave(3, 3)),
    ),
    one(
        "up_sampling1d.repeated",
        SERIES,
        lambda L: L.UpSampling1D(2),
        only(lambda x: x.repeat_interleave(2, 1)),
    ),
    one(
        "up_sampling2d.nearest",
        IMAGE,
        lambda L: L.UpSampling2D(2),
        lambda: nn.UpsamplingNearest2d(scale_factor=2),
    ),
    one(
        "zero_padding1d.turned",
        SERIES,
        lambda L: L.ZeroPadding1D(1),
        only(lambda x: F.pad(x.transpose(1, 2), (1, 1)).transpose(1, 2)),
    ),
    one(
        "zero_padding3d.function",
        VOLUME,
        lambda L: L.ZeroPadding3D(1),
        only(lambda x: F.pad(x, (1,) * 6)),
    ),
    one(
        "zero_padding2d.constant",
        IMAGE,
        lambda L: L.ZeroPadding2D(1),
        lambda: nn.ConstantPad2d(1, 0.0),
    ),
]
