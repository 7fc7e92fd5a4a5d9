"""Faults of normalisation layers, in evaluation and in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from parity_tests.pairs.faults.losses import crossentropy
from parity_tests.pairs.faults.small import fault
from parity_tests.pairs.zoo.building import KERAS_2, KERAS_3, Net

X = (6, 5)
STEPS = (4, 5, 5)
IMAGES = (4, 6, 6, 4)


def normed(norm: Callable[[Any], Any], units: int = 5) -> Callable[[Any], list[Any]]:
    return lambda L: [L.Dense(units, name="a"), norm(L), L.Dense(3, name="b")]


def port(norm: nn.Module, units: int = 5) -> nn.Module:
    return nn.Sequential(nn.Linear(5, units), norm, nn.Linear(units, 3))


def batch(**options: Any) -> nn.Module:
    return nn.BatchNorm1d(5, **{"eps": 1e-3, "momentum": 0.01, **options})


def exchanged(a: str, b: str) -> Callable[[Any], None]:
    def change(module: Any) -> None:
        first, second = getattr(module[1], a).data, getattr(module[1], b).data
        copy = first.clone()
        first.copy_(second)
        second.copy_(copy)

    return change


class Rms(nn.Module):
    """Root mean square normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(5)), nn.Parameter(torch.zeros(5))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, 5)."""
        scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-3)
        return x * scale * self.weight + self.bias


class Frozen(nn.Sequential):
    """A model whose normalisation stays in evaluation mode."""

    def train(self, mode: bool = True) -> Any:
        """Set the mode of all other layers."""
        super().train(mode)
        self[1].eval()
        return self


BATCH = normed(lambda L: L.BatchNormalization(name="norm"))
TRAINED: dict[str, Any] = {"loss": crossentropy, "optimizer": lambda keras: "sgd"}

FAULTS = [
    fault("batch_norm.epsilon", X, BATCH, lambda: port(batch(eps=1e-5)), "norm",
        ("batch_norm.epsilon",)),
    fault("batch_norm.gamma_for_beta", X, BATCH, lambda: port(batch()), "norm",
        ("weights.swapped_beta_gamma",), inject=exchanged("weight", "bias")),
    fault("batch_norm.mean_for_variance", X,
        BATCH, lambda: port(batch()), "norm", ("weights.swapped_moving_mean_moving_variance",),
        inject=exchanged("running_mean", "running_var"), positive=("moving_mean",)),
    fault("batch_norm.axis", STEPS, BATCH, lambda: port(batch()), "norm", (),
        unnamed="the second axis counts as channels in all later layers"),
    fault("batch_norm.no_scale", X, BATCH,
        lambda: port(nn.BatchNorm1d(5, 1e-3, 0.01, affine=False)), "norm",
        ("batch_norm.gamma", "batch_norm.beta")),
    fault("batch_norm.missing", X, BATCH, lambda: nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 3)),
        "norm", ("structure.missing",)),
    fault("batch_norm.behind_the_activation", X,
        lambda L: [L.Dense(5, name="a"), L.BatchNormalization(name="norm"), L.ReLU(name="act"),
                   L.Dense(3, name="b")],
        lambda: nn.Sequential(nn.Linear(5, 5), nn.ReLU(), batch(), nn.Linear(5, 3)), "norm",
        ("structure.order",)),
    fault("batch_norm.momentum", X, BATCH, lambda: port(batch(momentum=0.1)), "norm",
        ("batch_norm.momentum", "batch_norm.running_variance"), "step", **TRAINED),
    fault("batch_norm.running_variance", X, BATCH, lambda: port(batch()), "norm",
        ("batch_norm.running_variance",), "step", **TRAINED),
    fault("batch_norm.frozen", X,
        normed(lambda L: L.BatchNormalization(name="norm", trainable=False)),
        lambda: port(batch().requires_grad_(False)), "norm", ("batch_norm.frozen",),
        "forward_train", **TRAINED),
    fault("batch_norm.evaluates_while_training", X, BATCH,
        lambda: Frozen(nn.Linear(5, 5), batch(), nn.Linear(5, 3)), "norm", ("batch_norm.frozen",),
        "forward_train", **TRAINED),
    fault("batch_norm.mask", STEPS,
        lambda L: [L.Masking(name="mask"), L.BatchNormalization(name="norm"), L.Flatten(),
                   L.Dense(3, name="b")],
        lambda: Net(lambda self, x: self.b(self.norm(x.mT).mT.flatten(1)), norm=batch(),
                    b=nn.Linear(25, 3)),
        "norm", ("batch_norm.mask",), "forward_train", padded=True, flavours=KERAS_2,
        **TRAINED),
    fault("layer_norm.epsilon", X, normed(lambda L: L.LayerNormalization(name="norm")),
        lambda: port(nn.LayerNorm(5)), "norm", ("layer_norm.epsilon",)),
    fault("layer_norm.axes", STEPS, normed(lambda L: L.LayerNormalization(name="norm")),
        lambda: port(nn.LayerNorm((5, 5), eps=1e-3)), "norm",
        ("layer_norm.axes",)),
    fault("layer_norm.not_centred", X, normed(lambda L: L.LayerNormalization(name="norm")),
        lambda: port(Rms()), "norm", (), unnamed="a custom module has no settings"),
    fault("layer_norm.for_batch_norm", X, BATCH, lambda: port(nn.LayerNorm(5, eps=1e-3)), "norm",
        ("batch_norm.kind",)),
    fault("rms_norm.epsilon", X, normed(lambda L: L.RMSNormalization(name="norm")),
        lambda: port(nn.RMSNorm(5)), "norm", ("rms_norm.epsilon",), flavours=KERAS_3),
    fault("rms_norm.for_layer_norm", X, normed(lambda L: L.RMSNormalization(name="norm")),
        lambda: port(nn.LayerNorm(5, eps=1e-6, elementwise_affine=False)), "norm",
        ("rms_norm.kind",), flavours=KERAS_3),
    fault("group_norm.epsilon", IMAGES,
        lambda L: [L.GroupNormalization(2, name="norm"), L.GlobalAveragePooling2D(),
                   L.Dense(3, name="b")],
        lambda: Net(lambda self, x: self.b(self.norm(x).mean((2, 3))), norm=nn.GroupNorm(2, 4),
                    b=nn.Linear(4, 3)), "norm", ("group_norm.epsilon",)),
    fault("group_norm.groups", IMAGES,
        lambda L: [L.GroupNormalization(2, name="norm"), L.MaxPooling2D(3, name="pool"),
                   L.Flatten(), L.Dense(3, name="b")],
        lambda: Net(lambda self, x: self.b(torch.max_pool2d(self.norm(x), 3).flatten(1)),
                    norm=nn.GroupNorm(4, 4, eps=1e-3), b=nn.Linear(16, 3)),
        "norm", ("group_norm.groups",)),
]  # fmt: skip
