"""Faults of dropout and noise, which are active only in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity_tests.pairs.faults.losses import X, crossentropy, logits, port
from parity_tests.pairs.faults.small import fault
from parity_tests.pairs.zoo.building import Net
from torch_impl import nn as keras_nn


def dropped(rate: float = 0.5, kind: str = "Dropout") -> Callable[[Any], list[Any]]:
    return lambda L: [L.Dense(4, activation="tanh", name="a"), getattr(L, kind)(rate, name="drop"),
                      L.Dense(3, name="b")]  # fmt: skip


def dropping(drop: Any) -> nn.Module:
    return Net(lambda self, x: self.b(drop(self, torch.tanh(self.a(x)))), a=nn.Linear(5, 4),
               b=nn.Linear(4, 3))  # fmt: skip


def noisy(noise: Callable[[Tensor], Tensor]) -> Callable[[], nn.Module]:
    return lambda: dropping(lambda _, x: noise(x) if _.training else x)


FAULTS = [
    fault("dropout.rate", X, dropped(),
        lambda: dropping(lambda _, x: F.dropout(x, 0.25, _.training)),
        "drop", ("dropout.rate",), "forward_train", loss=crossentropy),
    fault("dropout.active_in_evaluation", X, dropped(),
        lambda: dropping(lambda _, x: F.dropout(x, 0.5)), "drop", (),
        unnamed="random draws are not shared in evaluation"),
    fault("dropout.not_rescaled", X, dropped(),
        lambda: dropping(lambda _, x: F.dropout(x, 0.5, _.training) * (0.5 if _.training else 1)),
        "b", (), "forward_train", loss=crossentropy, unnamed="a factor in the code is not a layer"),
    fault("dropout.missing", X, dropped(), port, "drop", ("dropout.rate",), "forward_train",
        loss=crossentropy),
    fault("dropout.in_pytorch_alone", X, logits,
        lambda: dropping(lambda _, x: F.dropout(x, 0.3, _.training)), "", ("dropout.rate",),
        "forward_train", loss=crossentropy),
    fault("dropout.of_whole_examples", X, dropped(),
        lambda: dropping(lambda _, x: F.dropout1d(x, 0.5, _.training)), "drop",
        ("dropout.axis",), "forward_train", loss=crossentropy),
    fault("dropout.of_whole_steps", (4, 7, 5),
        lambda L: [L.SpatialDropout1D(0.4, name="drop"), L.GRU(4, name="gru"),
                   L.Dense(3, name="b")],
        lambda: Net(lambda self, x: self.b(self.gru(F.dropout1d(x, 0.4, self.training))[0][:, -1]),
                    gru=nn.GRU(5, 4, batch_first=True), b=nn.Linear(4, 3)),
        "drop", ("dropout.axis",), "forward_train", loss=crossentropy),
    fault("dropout.gaussian", X, dropped(kind="GaussianDropout"),
        lambda: dropping(lambda _, x: F.dropout(x, 0.5, _.training)), "drop",
        ("dropout.gaussian",), "forward_train", loss=crossentropy),
    fault("gaussian_dropout.stddev", X, dropped(0.25, "GaussianDropout"),
        noisy(lambda x: x * (1.0 + 0.25 * torch.randn_like(x))), "drop", ("dropout.rate",),
        "forward_train", loss=crossentropy),
    fault("dropout.gaussian_missing", X, dropped(kind="GaussianDropout"), port, "drop",
        ("dropout.rate",), "forward_train", loss=crossentropy),
    fault("dropout.plain_for_alpha", X, dropped(kind="AlphaDropout"),
        lambda: dropping(lambda _, x: F.dropout(x, 0.5, _.training)), "drop", ("dropout.kind",),
        "forward_train", loss=crossentropy),
    fault("dropout.rate_of_alpha", X, dropped(kind="AlphaDropout"),
        lambda: dropping(lambda _, x: F.alpha_dropout(x, 0.25, _.training)), "drop",
        ("dropout.rate",), "forward_train", loss=crossentropy),
    fault("noise.stddev", X, dropped(0.2, "GaussianNoise"),
        noisy(lambda x: x + 0.3 * torch.randn_like(x)), "drop", ("noise.stddev",),
        "forward_train", loss=crossentropy),
    fault("noise.variance_for_stddev", X, dropped(0.2, "GaussianNoise"),
        noisy(lambda x: x + torch.normal(0.0, 0.2**0.5, x.shape)), "drop", ("noise.stddev",),
        "forward_train", loss=crossentropy),
    fault("noise.of_flattened_map", (3, 6, 6, 3),
        lambda L: [L.Conv2D(4, 3, name="conv"), L.GaussianNoise(0.2, name="drop"), L.Flatten(),
                   L.Dense(3, name="b")],
        lambda: Net(lambda self, x: self.b(self.drop(self.conv(x).flatten(1))),
                    conv=nn.Conv2d(3, 4, 3), drop=keras_nn.GaussianNoise(0.3),
                    b=nn.Linear(64, 3)),
        "drop", ("noise.stddev",), "forward_train", loss=crossentropy),
    fault("noise.missing", X, dropped(0.2, "GaussianNoise"), port, "drop", ("noise.stddev",),
        "forward_train", loss=crossentropy),
    fault("noise.elsewhere", X, logits, noisy(lambda x: x + 0.3 * torch.randn_like(x)), "",
        ("noise.stddev",), "forward_train", loss=crossentropy),
    fault("noise.multiplied", X, dropped(0.2, "GaussianNoise"),
        noisy(lambda x: x * (1.0 + 0.2 * torch.randn_like(x))), "drop",
        ("dropout.gaussian",), "forward_train", loss=crossentropy),
    fault("noise.one_for_all", X, dropped(0.2, "GaussianNoise"),
        noisy(lambda x: x + 0.2 * torch.randn(x.shape[1:])), "b", (), "forward_train",
        loss=crossentropy, unnamed="draws of another shape are not shared"),
    fault("dropout.elementwise_for_spatial", (3, 6, 6, 3),
        lambda L: [L.Conv2D(4, 3, name="conv"), L.SpatialDropout2D(0.5, name="drop"),
                   L.GlobalAveragePooling2D(), L.Dense(3, name="b")],
        lambda: Net(lambda self, x: self.b(self.drop(self.conv(x)).mean((2, 3))),
                    conv=nn.Conv2d(3, 4, 3), drop=nn.Dropout(), b=nn.Linear(4, 3)),
        "drop", ("dropout.spatial",), "forward_train", loss=crossentropy),
    fault("dropout.elementwise_alpha", (3, 6, 6, 3),
        lambda L: [L.Conv2D(4, 3, name="conv"),
                   L.AlphaDropout(0.5, noise_shape=(3, 1, 1, 4), name="drop"),
                   L.GlobalAveragePooling2D(), L.Dense(3, name="b")],
        lambda: Net(lambda self, x: self.b(self.drop(self.conv(x)).mean((2, 3))),
                    conv=nn.Conv2d(3, 4, 3), drop=nn.AlphaDropout(), b=nn.Linear(4, 3)),
        "drop", ("dropout.spatial",), "forward_train", loss=crossentropy),
]  # fmt: skip
