"""Pairs of dense layers, norms and dropout."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from parity_tests.pairs.zoo.building import (
    IMAGE,
    KERAS_2,
    KERAS_3,
    ROWS,
    SERIES,
    VOLUME,
    Net,
    one,
    only,
    turned,
)

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
    one(
        "rms_norm",
        SERIES,
        lambda L: L.RMSNormalization(),
        lambda: nn.RMSNorm(4, eps=1e-6),
        flavours=KERAS_3,
    ),
    one(
        "rms_norm.default_of_torch",
        SERIES,
        lambda L: L.RMSNormalization(epsilon=1.1920929e-7),
        lambda: nn.RMSNorm(4),
        flavours=KERAS_3,
    ),
    one(
        "rms_norm.function",
        IMAGE,
        lambda L: L.RMSNormalization(axis=[-2, -1]),
        lambda: Net(
            lambda self, x: F.rms_norm(x.movedim(1, -1), (8, 4), self.w, 1e-6).movedim(-1, 1),
            w=nn.Parameter(torch.randn(8, 4)),
        ),
        flavours=KERAS_3,
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
    one(
        "spatial_dropout1d.function",
        SERIES,
        lambda L: L.SpatialDropout1D(0.3),
        only(lambda x: F.dropout1d(x.transpose(1, 2), 0.3, False).transpose(1, 2)),
    ),
    one(
        "spatial_dropout2d.function",
        IMAGE,
        lambda L: L.SpatialDropout2D(0.3),
        only(lambda x: F.dropout2d(x, 0.3, training=False)),
    ),
    one(
        "spatial_dropout3d.function",
        VOLUME,
        lambda L: L.SpatialDropout3D(0.3),
        only(lambda x: F.dropout3d(x, 0.3, training=False)),
    ),
]
