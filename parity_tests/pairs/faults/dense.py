"""Faults of dense layers and activations, and of the order of layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from parity_tests.pairs.faults.small import fault
from parity_tests.pairs.zoo.building import Net

X = (4, 6)
STEPS = (4, 5, 6)


def pair(L: Any, **options: Any) -> list[Any]:
    """Two dense layers; the options are those of the first."""
    return [L.Dense(6, name="a", **options), L.Dense(3, name="b")]


def activated(L: Any, layer: Any) -> list[Any]:
    """Two dense layers with a layer between them."""
    return [L.Dense(6, name="a"), layer, L.Dense(3, name="b")]


def port(*between: nn.Module, bias: bool = True) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 6), *between, nn.Linear(6, 3, bias=bias))


def swapped(module: Any) -> None:
    first, second = module[0], module[2]
    for name in ("weight", "bias"):
        a, b = getattr(first, name).data, getattr(second, name).data
        kept = a.clone()
        a.copy_(b)
        b.copy_(kept)


def half() -> nn.Module:
    def run(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.b(F.relu(self.a(x)).half().to(x.dtype))

    return Net(run, a=nn.Linear(6, 6), b=nn.Linear(6, 3))


def hole(self: Any, x: torch.Tensor) -> torch.Tensor:
    y = F.relu(self.a(x))
    return self.b(torch.where(y >= y.max(), torch.nan, y))


FAULTS = [
    fault("dense.missing_bias", X, lambda L: pair(L, activation="relu"),
        lambda: port(nn.ReLU(), bias=False), "b", ("dense.bias",)),
    fault("dense.bias_too_many", X,
        lambda L: [L.Dense(6, use_bias=False, name="a"), L.ReLU(name="act"), L.Dense(3, name="b")],
        lambda: port(nn.ReLU()), "a", ("dense.bias",)),
    fault("dense.transposed_square_kernel", X, lambda L: pair(L, activation="relu"),
        lambda: port(nn.ReLU()), "a", ("dense.kernel_layout",),
        inject=lambda m: m[0].weight.data.copy_(m[0].weight.data.T.clone())),
    fault("layers.swapped", X,
        lambda L: [L.Dense(6, activation="relu", name="a"), L.Dense(6, name="b")],
        lambda: nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6)), "a",
        ("dense.kernel", "dense.bias"), inject=swapped),
    fault("dense.activation", X, lambda L: pair(L, activation="tanh"), port, "a.tanh",
        ("structure.missing",)),
    fault("activation.wrong", X, lambda L: pair(L, activation="relu"), lambda: port(nn.Sigmoid()),
        "a.relu", ("activation.function",)),
    fault("activation.twice", X, lambda L: pair(L, activation="tanh"),
        lambda: port(nn.Tanh(), nn.Tanh()), "", ("structure.extra",)),
    fault("activation.leaky_slope", X, lambda L: activated(L, L.LeakyReLU(name="act")),
        lambda: port(nn.LeakyReLU()), "act", ("leaky_relu.slope",)),
    fault("activation.leaky_for_relu", X, lambda L: pair(L, activation="relu"),
        lambda: port(nn.LeakyReLU()), "a.relu", ("activation.function",)),
    fault("activation.six_at_most", X, lambda L: activated(L, L.ReLU(max_value=6.0, name="act")),
        lambda: port(nn.ReLU()), "act", ("relu.max_value",), scale=9.0),
    fault("activation.elu_alpha", X, lambda L: activated(L, L.ELU(alpha=0.5, name="act")),
        lambda: port(nn.ELU()), "act", ("elu.alpha",)),
    fault("activation.gelu_tanh", X, lambda L: pair(L, activation="gelu"),
        lambda: port(nn.GELU("tanh")), "a.gelu", ("gelu.approximate",)),
    fault("hard_sigmoid.slope", X, lambda L: pair(L, activation="hard_sigmoid"),
        lambda: port(nn.Hardsigmoid()), "a.hard_sigmoid", ("hard_sigmoid.slope",),
        flavours=("tf_keras",)),
    fault("softplus.threshold", X, lambda L: pair(L, activation="softplus"),
        lambda: port(nn.Softplus()), "a.softplus", ("softplus.threshold",), scale=20.0),
    fault("prelu.parameters", X,
        lambda L: activated(L, L.PReLU(name="act")), lambda: port(nn.PReLU()), "act",
        ("prelu.parameters",)),
    fault("softmax.axis", STEPS, lambda L: pair(L, activation="softmax"),
        lambda: port(nn.Softmax(1)), "a.softmax", ("softmax.axis",)),
    fault("softmax.twice", X, lambda L: [L.Dense(3, activation="softmax", name="a")],
        lambda: nn.Sequential(nn.Linear(6, 3), nn.Softmax(-1), nn.Softmax(-1)), "",
        ("structure.extra",)),
    fault("softmax.missing", X, lambda L: [L.Dense(3, activation="softmax", name="a")],
        lambda: nn.Sequential(nn.Linear(6, 3)), "a.softmax", ("structure.missing",)),
    fault("value.nan", X, lambda L: pair(L, activation="relu"),
        lambda: Net(hole, a=nn.Linear(6, 6), b=nn.Linear(6, 3)), "b", (),
        unnamed="no setting turns a number into NaN"),
    fault("value.float16", X, lambda L: pair(L, activation="relu"), half, "b", (),
        unnamed="Keras has no layer that casts"),
    fault("permute.dims", (4, 5, 5),
        lambda L: [L.Permute((2, 1), name="turn"), L.Dense(3, name="b")],
        lambda: nn.Sequential(nn.Linear(5, 3)), "turn", ("structure.missing",)),
    fault("reshape.order", (4, 6, 4),
        lambda L: [L.Permute((2, 1), name="turn"), L.Flatten(name="flat"), L.Dense(3, name="b")],
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(24, 3)), "turn", ("structure.missing",)),
    fault("reshape.channels_first", X,
        lambda L: [L.Dense(12, name="a"), L.Reshape((2, 2, 3), name="map"),
                   L.Conv2D(2, 1, name="conv")],
        lambda: Net(lambda self, x: self.conv(self.a(x).reshape(-1, 3, 2, 2)),
                    a=nn.Linear(6, 12), conv=nn.Conv2d(3, 2, 1)), "map", ("reshape.order",)),
    fault("input.scaled", X, lambda L: pair(L, activation="relu"),
        lambda: Net(lambda self, x: self.b(F.relu(self.a(x / 255.0))), a=nn.Linear(6, 6),
                    b=nn.Linear(6, 3)), "a", ("input.scale",)),
    fault("input.rescaled_in_keras_alone", X,
        lambda L: [L.Rescaling(1 / 255.0, name="scaled"), *pair(L, activation="relu")],
        lambda: port(nn.ReLU()), "a", ("input.scale",)),
]  # fmt: skip
