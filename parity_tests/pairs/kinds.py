"""Every kind of layer that both frameworks have, as pairs that users write."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from parity_tests.pairs.activation_kinds import ACTIVATIONS
from parity_tests.pairs.building import KERAS_2, Kind, Net, one, only
from parity_tests.pairs.forms import FORMS
from parity_tests.pairs.sequence_kinds import SEQUENCES


def turned(*parts: nn.Module) -> Net:
    """Sequences (N, T, C) through modules that want the channels first."""
    net = nn.Sequential(*parts)
    return Net(lambda self, x: self.net(x.transpose(1, 2)).transpose(1, 2), net=net)


IMAGE, SERIES, VOLUME, ROWS = (2, 9, 8, 4), (2, 7, 4), (2, 6, 5, 4, 2), (3, 6)
SHAPES = {1: SERIES, 2: IMAGE, 3: VOLUME}
CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def spatial(rank: int, make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """A module of that rank, for a model whose sequences come channels last."""
    return (lambda: turned(make())) if rank == 1 else make


def adaptive(rank: int, kind: str, keepdims: bool) -> Net:
    """A pool to size 1."""

    def run(self: Any, x: Any) -> Any:
        y = self.pool(x.transpose(1, 2) if rank == 1 else x)
        if not keepdims:
            return y.flatten(1)
        return y.transpose(1, 2) if rank == 1 else y

    return Net(run, pool=getattr(nn, f"Adaptive{kind}Pool{rank}d")(1))


DENSE = [
    one("dense", ROWS, lambda L: L.Dense(5), lambda: nn.Linear(6, 5)),
    one(
        "dense.no_bias",
        ROWS,
        lambda L: L.Dense(5, use_bias=False),
        lambda: nn.Linear(6, 5, bias=False),
    ),
    one("dense.steps", SERIES, lambda L: L.Dense(5), lambda: nn.Linear(4, 5)),
    one(
        "dense.time_distributed",
        SERIES,
        lambda L: L.TimeDistributed(L.Dense(5, activation="relu")),
        lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU()),
        2,
    ),
    one(
        "dense.flattened",
        IMAGE,
        (lambda L: L.Flatten(), lambda L: L.Dense(5)),
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(288, 5)),
    ),
    one(
        "dense.f_linear",
        ROWS,
        lambda L: L.Dense(5),
        lambda: Net(
            lambda self, x: F.linear(x, self.w, self.b),
            w=nn.Parameter(torch.randn(5, 6)),
            b=nn.Parameter(torch.randn(5)),
        ),
    ),
    one(
        "dense.matmul",
        ROWS,
        lambda L: L.Dense(5),
        lambda: Net(
            lambda self, x: x @ self.w + self.b,
            w=nn.Parameter(torch.randn(6, 5)),
            b=nn.Parameter(torch.randn(5)),
        ),
    ),
    one(
        "dense.matmul_t",
        ROWS,
        lambda L: L.Dense(5, use_bias=False),
        lambda: Net(lambda self, x: x @ self.w.T, w=nn.Parameter(torch.randn(5, 6))),
    ),
    one(
        "dense.addmm",
        ROWS,
        lambda L: L.Dense(5),
        lambda: Net(
            lambda self, x: torch.addmm(self.b, x, self.w),
            w=nn.Parameter(torch.randn(6, 5)),
            b=nn.Parameter(torch.randn(5)),
        ),
    ),
]

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
        alone=("pad",),
        apart=True,
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
        alone=("__getitem__",),
        apart=True,
    ),
    one(
        "conv2d_transpose.output_padding",
        IMAGE,
        lambda L: L.Conv2DTranspose(6, 3, strides=2, padding="same", output_padding=1),
        lambda: Net(
            lambda self, x: self.c(x)[:, :, :-1, :-1], c=nn.ConvTranspose2d(4, 6, 3, stride=2)
        ),
        alone=("__getitem__",),
        apart=True,
    ),
    one(
        "conv2d_transpose.more",
        IMAGE,
        lambda L: L.Conv2DTranspose(6, 3, strides=2, output_padding=1),
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1),
    ),
]
CONVOLUTIONS += [
    one(
        "conv2d.groups",
        IMAGE,
        lambda L: L.Conv2D(6, 3, groups=2),
        lambda: nn.Conv2d(4, 6, 3, groups=2),
    ),
]

POOLS = [
    *(
        one(
            f"{short.lower()}_pool{r}d.{size}{stride}",
            SHAPES[r],
            lambda L, r=r, n=name, s=size, t=stride: getattr(L, f"{n}Pooling{r}D")(s, strides=t),
            spatial(r, lambda r=r, n=short, s=size, t=stride: getattr(nn, f"{n}Pool{r}d")(s, t)),
        )
        for r in (1, 2, 3)
        for name, short in (("Max", "Max"), ("Average", "Avg"))
        for size, stride in ((2, 2), (3, 1))
    ),
    *(
        one(
            f"{short.lower()}_pool{r}d.ceil",
            SHAPES[r],
            lambda L, r=r, n=name: getattr(L, f"{n}Pooling{r}D")(2, padding="same"),
            spatial(r, lambda r=r, n=short: getattr(nn, f"{n}Pool{r}d")(2, ceil_mode=True)),
        )
        for r in (1, 2, 3)
        for name, short in (("Max", "Max"), ("Average", "Avg"))
    ),
    one(
        "max_pool2d.function",
        IMAGE,
        lambda L: L.MaxPooling2D(2),
        only(lambda x: F.max_pool2d(x, 2)),
    ),
    one(
        "avg_pool2d.function",
        IMAGE,
        lambda L: L.AveragePooling2D(3, 1, "same"),
        only(lambda x: F.avg_pool2d(x, 3, 1, padding=1, count_include_pad=False)),
    ),
    *(
        one(
            f"global_{short.lower()}_pool{r}d.{keep}",
            SHAPES[r],
            lambda L, r=r, n=name, k=keep: getattr(L, f"Global{n}Pooling{r}D")(keepdims=k),
            functools.partial(adaptive, r, short, keep),
        )
        for r in (1, 2, 3)
        for name, short in (("Max", "Max"), ("Average", "Avg"))
        for keep in (False, True)
    ),
    one(
        "global_average.mean",
        IMAGE,
        lambda L: L.GlobalAveragePooling2D(),
        only(lambda x: x.mean((2, 3))),
    ),
    one(
        "global_average.mean_dims",
        IMAGE,
        lambda L: L.GlobalAveragePooling2D(keepdims=True),
        only(lambda x: torch.mean(x, dim=[-2, -1], keepdim=True)),
    ),
    one(
        "global_average.series",
        SERIES,
        lambda L: L.GlobalAveragePooling1D(),
        only(lambda x: x.mean(1)),
    ),
    one("global_max.amax", IMAGE, lambda L: L.GlobalMaxPooling2D(), only(lambda x: x.amax((2, 3)))),
    one(
        "global_max.series",
        SERIES,
        lambda L: L.GlobalMaxPooling1D(),
        only(lambda x: x.max(dim=1).values),
    ),
]

NORMS = [
    one(
        "batch_norm",
        ROWS,
        lambda L: L.BatchNormalization(),
        lambda: nn.BatchNorm1d(6, eps=1e-3, momentum=0.01),
    ),
    one(
        "batch_norm1d",
        SERIES,
        lambda L: L.BatchNormalization(),
        lambda: turned(nn.BatchNorm1d(4, eps=1e-3, momentum=0.01)),
    ),
    one(
        "batch_norm2d",
        IMAGE,
        lambda L: L.BatchNormalization(),
        lambda: nn.BatchNorm2d(4, eps=1e-3, momentum=0.01),
    ),
    one(
        "batch_norm2d.plain",
        IMAGE,
        lambda L: L.BatchNormalization(center=False, scale=False),
        lambda: nn.BatchNorm2d(4, eps=1e-3, momentum=0.01, affine=False),
    ),
    one(
        "batch_norm3d",
        VOLUME,
        lambda L: L.BatchNormalization(),
        lambda: nn.BatchNorm3d(2, eps=1e-3, momentum=0.01),
    ),
    one(
        "batch_norm.flattened",
        IMAGE,
        (lambda L: L.Flatten(), lambda L: L.BatchNormalization()),
        lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(288, eps=1e-3, momentum=0.01)),
    ),
    one("layer_norm", SERIES, lambda L: L.LayerNormalization(), lambda: nn.LayerNorm(4, eps=1e-3)),
    one(
        "layer_norm.several",
        IMAGE,
        lambda L: L.LayerNormalization(axis=(1, 2, 3)),
        lambda: nn.LayerNorm((4, 9, 8), eps=1e-3),
    ),
    one(
        "layer_norm.channels",
        IMAGE,
        lambda L: L.LayerNormalization(),
        lambda: Net(
            lambda self, x: self.n(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
            n=nn.LayerNorm(4, eps=1e-3),
        ),
    ),
    one(
        "layer_norm.function",
        SERIES,
        lambda L: L.LayerNormalization(),
        lambda: Net(
            lambda self, x: F.layer_norm(x, (4,), self.g, self.b, 1e-3),
            g=nn.Parameter(torch.ones(4)),
            b=nn.Parameter(torch.ones(4)),
        ),
    ),
    one(
        "group_norm", IMAGE, lambda L: L.GroupNormalization(2), lambda: nn.GroupNorm(2, 4, eps=1e-3)
    ),
]

DROPOUTS = [
    one("dropout", ROWS, lambda L: L.Dropout(0.3), lambda: nn.Dropout(0.3)),
    one(
        "dropout.function",
        ROWS,
        lambda L: L.Dropout(0.3),
        only(lambda x: F.dropout(x, 0.3, training=False)),
    ),
    one("spatial_dropout2d", IMAGE, lambda L: L.SpatialDropout2D(0.3), lambda: nn.Dropout2d(0.3)),
    one(
        "spatial_dropout1d",
        SERIES,
        lambda L: L.SpatialDropout1D(0.3),
        lambda: turned(nn.Dropout1d(0.3)),
    ),
    one("spatial_dropout3d", VOLUME, lambda L: L.SpatialDropout3D(0.3), lambda: nn.Dropout3d(0.3)),
    one(
        "alpha_dropout",
        ROWS,
        lambda L: L.AlphaDropout(0.3),
        lambda: nn.AlphaDropout(0.3),
        flavours=KERAS_2,
    ),
]

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
]


def merged(kind: str, run: Callable[..., Any], shapes: Any = (IMAGE, IMAGE), **given: Any) -> Kind:
    """Two inputs, or more, made one."""

    def build(keras: Any) -> Any:
        inputs = [keras.Input(shape[1:]) for shape in shapes]
        return keras.Model(inputs, getattr(keras.layers, kind)(**given)(inputs))

    return Kind(f"{kind.lower()}{''.join(map(str, given.values()))}", shapes, build, only(run))


MERGES = [
    merged("Add", lambda a, b: a + b),
    merged("Subtract", lambda a, b: a - b),
    merged("Multiply", lambda a, b: a * b),
    merged("Average", lambda a, b: (a + b) / 2),
    merged("Maximum", torch.maximum),
    merged("Minimum", torch.minimum),
    merged("Concatenate", lambda a, b: torch.cat((a, b), 1), axis=-1),
    merged("Concatenate", lambda a, b: torch.cat((a, b), 2), axis=1),
]

ALL = [
    *DENSE,
    *CONVOLUTIONS,
    *POOLS,
    *NORMS,
    *DROPOUTS,
    *MOVES,
    *MERGES,
    *ACTIVATIONS,
    *SEQUENCES,
    *FORMS,
]
