"""Pairs of pooling layers."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from parity_tests.pairs.zoo.building import IMAGE, SERIES, SHAPES, VOLUME, Net, one, only, spatial


def adaptive(rank: int, kind: str, keepdims: bool) -> Net:
    """A pair of global pooling layers."""

    def run(self: Any, x: Any) -> Any:
        y = self.pool(x.transpose(1, 2) if rank == 1 else x)
        if not keepdims:
            return y.flatten(1)
        return y.transpose(1, 2) if rank == 1 else y

    return Net(run, pool=getattr(nn, f"Adaptive{kind}Pool{rank}d")(1))


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
    one(
        "global_average1d.transposed",
        SERIES,
        lambda L: L.GlobalAveragePooling1D(),
        only(lambda x: x.transpose(1, 2).mean(-1)),
    ),
    one(
        "global_average1d.adaptive",
        SERIES,
        lambda L: L.GlobalAveragePooling1D(),
        only(lambda x: F.adaptive_avg_pool1d(x.transpose(1, 2), 1).squeeze(-1)),
    ),
    one("global_max1d.amax", SERIES, lambda L: L.GlobalMaxPooling1D(), only(lambda x: x.amax(1))),
    one(
        "global_max1d.max",
        SERIES,
        lambda L: L.GlobalMaxPooling1D(),
        only(lambda x: x.transpose(1, 2).max(-1)[0]),
    ),
    one(
        "global_average3d.mean",
        VOLUME,
        lambda L: L.GlobalAveragePooling3D(),
        only(lambda x: x.mean((2, 3, 4))),
    ),
    one(
        "global_average3d.keepdims",
        VOLUME,
        lambda L: L.GlobalAveragePooling3D(keepdims=True),
        only(lambda x: x.mean((2, 3, 4), keepdim=True)),
    ),
    one(
        "global_max3d.amax",
        VOLUME,
        lambda L: L.GlobalMaxPooling3D(),
        only(lambda x: x.amax(dim=(2, 3, 4))),
    ),
    one(
        "global_max3d.adaptive",
        VOLUME,
        lambda L: L.GlobalMaxPooling3D(),
        only(lambda x: F.adaptive_max_pool3d(x, (1, 1, 1)).view(2, -1)),
    ),
    one(
        "global_average2d.flattened",
        IMAGE,
        lambda L: L.GlobalAveragePooling2D(),
        only(lambda x: x.flatten(2).mean(2)),
    ),
    one(
        "global_max2d.viewed",
        IMAGE,
        lambda L: L.GlobalMaxPooling2D(),
        only(lambda x: x.view(2, 4, -1).max(-1)[0]),
    ),
    one(
        "global_average2d.twice",
        IMAGE,
        lambda L: L.GlobalAveragePooling2D(),
        only(lambda x: x.mean(3).mean(2)),
    ),
    one(
        "global_average3d.twice",
        VOLUME,
        lambda L: L.GlobalAveragePooling3D(),
        only(lambda x: x.mean((3, 4)).mean(2)),
    ),
    one(
        "global_max2d.twice",
        IMAGE,
        lambda L: L.GlobalMaxPooling2D(),
        only(lambda x: x.amax(-1).amax(-1)),
    ),
    one(
        "global_average2d.window",
        IMAGE,
        lambda L: L.GlobalAveragePooling2D(),
        only(lambda x: F.avg_pool2d(x, (9, 8)).flatten(1)),
    ),
]
