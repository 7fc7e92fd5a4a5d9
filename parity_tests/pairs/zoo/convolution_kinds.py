"""Pairs of convolutions."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from parity_tests.pairs.zoo.building import IMAGE, SERIES, SHAPES, VOLUME, Net, one, spatial, turned

CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}

CONVOLUTIONS = [
    *(
        one(
            f"conv{r}d",
            SHAPES[r],
            lambda L, r=r: getattr(L, f"Conv{r}D")(6, 3),
            spatial(r, lambda r=r: CONV[r](SHAPES[r][-1], 6, 3)),
        )
        for r in (1, 2, 3)
    ),
    *(
        one(
            f"conv{r}d.same",
            SHAPES[r],
            lambda L, r=r: getattr(L, f"Conv{r}D")(6, 3, padding="same", use_bias=False),
            spatial(r, lambda r=r: CONV[r](SHAPES[r][-1], 6, 3, padding="same", bias=False)),
        )
        for r in (1, 2, 3)
    ),
    *(
        one(
            f"conv{r}d.strides",
            SHAPES[r],
            lambda L, r=r: getattr(L, f"Conv{r}D")(6, 2, strides=2),
            spatial(r, lambda r=r: CONV[r](SHAPES[r][-1], 6, 2, stride=2)),
        )
        for r in (1, 2, 3)
    ),
    one(
        "conv2d.dilation",
        IMAGE,
        lambda L: L.Conv2D(6, 3, dilation_rate=2, padding="same"),
        lambda: nn.Conv2d(4, 6, 3, dilation=2, padding=2),
    ),
    one(
        "conv2d.rectangle",
        IMAGE,
        lambda L: L.Conv2D(6, (3, 2), strides=(1, 2)),
        lambda: nn.Conv2d(4, 6, (3, 2), stride=(1, 2)),
    ),
    one(
        "conv2d.activation",
        IMAGE,
        lambda L: L.Conv2D(6, 3, activation="relu"),
        lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(inplace=True)),
        2,
    ),
    one(
        "conv2d.f_conv2d",
        IMAGE,
        lambda L: L.Conv2D(6, 3, strides=2),
        lambda: Net(
            lambda self, x: F.conv2d(x, self.w, self.b, stride=2),
            w=nn.Parameter(torch.randn(6, 4, 3, 3)),
            b=nn.Parameter(torch.randn(6)),
        ),
    ),
    one(
        "conv1d.causal",
        SERIES,
        lambda L: L.Conv1D(6, 3, padding="causal", dilation_rate=2),
        lambda: Net(
            lambda self, x: self.c(F.pad(x.transpose(1, 2), (4, 0))).transpose(1, 2),
            c=nn.Conv1d(4, 6, 3, dilation=2),
        ),
    ),
    one(
        "depthwise2d",
        IMAGE,
        lambda L: L.DepthwiseConv2D(3, depth_multiplier=2),
        lambda: nn.Conv2d(4, 8, 3, groups=4),
    ),
    one(
        "depthwise1d",
        SERIES,
        lambda L: L.DepthwiseConv1D(3, padding="same"),
        lambda: turned(nn.Conv1d(4, 4, 3, groups=4, padding=1)),
    ),
    one(
        "separable2d",
        IMAGE,
        lambda L: L.SeparableConv2D(6, 3, padding="same", activation="relu"),
        lambda: nn.Sequential(
            nn.Conv2d(4, 4, 3, groups=4, padding=1, bias=False), nn.Conv2d(4, 6, 1), nn.ReLU()
        ),
        3,
    ),
    one(
        "separable1d",
        SERIES,
        lambda L: L.SeparableConv1D(6, 3, depth_multiplier=2),
        lambda: turned(nn.Conv1d(4, 8, 3, groups=4, bias=False), nn.Conv1d(8, 6, 1)),
        2,
    ),
    *(
        one(
            f"conv{r}d_transpose",
            SHAPES[r],
            lambda L, r=r: getattr(L, f"Conv{r}DTranspose")(6, 3, strides=2),
            spatial(
                r, lambda r=r: getattr(nn, f"ConvTranspose{r}d")(SHAPES[r][-1], 6, 3, stride=2)
            ),
        )
        for r in (1, 2, 3)
    ),
    one(
        "conv2d_transpose.same",
        IMAGE,
        lambda L: L.Conv2DTranspose(6, 4, strides=2, padding="same"),
        lambda: nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1),
    ),
    one(
        "conv2d_transpose.cropped",
        IMAGE,
        lambda L: L.Conv2DTranspose(6, 3, strides=2, padding="same"),
        lambda: Net(
            lambda self, x: self.c(x)[:, :, :-1, :-1], c=nn.ConvTranspose2d(4, 6, 3, stride=2)
        ),
    ),
    one(
        "conv2d_transpose.output_padding",
        IMAGE,
        lambda L: L.Conv2DTranspose(6, 3, strides=2, padding="same", output_padding=1),
        lambda: Net(
            lambda self, x: self.c(x)[:, :, :-1, :-1], c=nn.ConvTranspose2d(4, 6, 3, stride=2)
        ),
    ),
    one(
        "conv2d_transpose.more",
        IMAGE,
        lambda L: L.Conv2DTranspose(6, 3, strides=2, output_padding=1),
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1),
    ),
    one(
        "conv2d.groups",
        IMAGE,
        lambda L: L.Conv2D(6, 3, groups=2),
        lambda: nn.Conv2d(4, 6, 3, groups=2),
    ),
    one(
        "conv1d.zeros",
        SERIES,
        (lambda L: L.ZeroPadding1D(1), lambda L: L.Conv1D(6, 3)),
        lambda: turned(nn.Conv1d(4, 6, 3, padding=1)),
    ),
    one(
        "conv2d.zeros",
        IMAGE,
        (lambda L: L.ZeroPadding2D(1), lambda L: L.Conv2D(6, 3, strides=2)),
        lambda: nn.Conv2d(4, 6, 3, 2, 1),
    ),
    one(
        "conv3d.zeros",
        VOLUME,
        (lambda L: L.ZeroPadding3D(1), lambda L: L.Conv3D(6, 3)),
        lambda: nn.Conv3d(2, 6, 3, padding=1),
    ),
    one(
        "conv3d.zeros_module",
        VOLUME,
        lambda L: L.Conv3D(6, 3, padding="same"),
        lambda: nn.Sequential(nn.ConstantPad3d(1, 0.0), nn.Conv3d(2, 6, 3)),
    ),
    one(
        "depthwise1d.zeros",
        SERIES,
        (lambda L: L.ZeroPadding1D(1), lambda L: L.DepthwiseConv1D(3)),
        lambda: turned(nn.Conv1d(4, 4, 3, padding=1, groups=4)),
    ),
    one(
        "conv1d.causal_cut",
        SERIES,
        lambda L: L.Conv1D(6, 3, padding="causal"),
        lambda: Net(
            lambda self, x: self.c(x.transpose(1, 2))[..., :-2].transpose(1, 2),
            c=nn.Conv1d(4, 6, 3, padding=2),
        ),
    ),
    one(
        "separable2d.zeros",
        IMAGE,
        lambda L: L.SeparableConv2D(6, 3, strides=2, padding="same"),
        lambda: nn.Sequential(
            nn.ZeroPad2d((0, 1, 1, 1)),
            nn.Conv2d(4, 4, 3, 2, groups=4, bias=False),
            nn.Conv2d(4, 6, 1),
        ),
        2,
    ),
    one(
        "conv1d_transpose.cropped",
        SERIES,
        lambda L: L.Conv1DTranspose(6, 3, strides=2, padding="same"),
        lambda: Net(
            lambda self, x: self.c(x.transpose(1, 2))[:, :, :-1].transpose(1, 2),
            c=nn.ConvTranspose1d(4, 6, 3, stride=2),
        ),
    ),
]
