"""Faults of batch norm, layer norm and dropout."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from parity.specs import weights
from parity_tests.meta.planting import (
    Case,
    Plant,
    adjusted,
    around,
    every,
    forward_of,
    twin,
    wrapped,
)
from torch_impl.ladder.training import TorchModel
from torch_impl.parts.layers import BatchNorm2d, SharedDropout


def other_variance(model: nn.Module) -> None:
    """Update the running variance with the biased variance for the unbiased, or vice versa."""
    for norm in model.batch_norm:
        norm.unbiased = not norm.unbiased


def statistics_of_evaluation(original: Callable[..., Tensor], self: nn.Module, x: Tensor) -> Tensor:
    training, self.training = self.training, False
    try:
        return original(self, x)
    finally:
        self.training = training


def of_each_row(forward: Callable[..., Tensor], x: Tensor) -> Tensor:
    """Normalise rows as channels, where there are as many of both."""
    return forward(x.transpose(1, 2).contiguous()).transpose(1, 2)


def gamma_and_beta_exchanged(original: Callable[..., Tensor], self: nn.Module, x: Tensor) -> Tensor:
    self.weight, self.bias = self.bias, self.weight
    try:
        return original(self, x)
    finally:
        self.weight, self.bias = self.bias, self.weight


def not_centred(norm: nn.Module, x: Tensor) -> Tensor:
    """Root mean square normalisation."""
    scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + norm.eps)
    return x * scale * norm.weight + norm.bias


def one_place_kept_apart(dropout: nn.Module, x: Tensor, keep: Tensor | None = None) -> Tensor:
    """Drop one pixel of each image with another channel's mask, not whole channels."""
    if keep is None or not dropout.training:
        return x
    each = keep.expand_as(x).clone()
    each[:, :, 0, 0] = each[:, :, 0, 0].roll(1, 1)
    return x * dropout.scale * each.to(x.dtype)


def in_evaluation_too(dropout: nn.Module, x: Tensor, keep: Tensor | None = None) -> Tensor:
    return x if keep is None else x * dropout.scale * keep.to(x.dtype)


def of_the_next_step(patch: pytest.MonkeyPatch) -> None:
    """Use each step's mask one step early."""
    taken = {"steps": 0}
    step, reset = TorchModel._step, TorchModel.reset_optimizer

    def late(self: TorchModel, picked: Tensor, keep: dict[str, Tensor]) -> object:
        taken["steps"] += 1
        seed = self.spec.training.seed
        masks = {
            name: weights.draw(seed, name, taken["steps"], len(picked), draw)
            for name, draw in self.spec.model.draws().items()
        }
        return step(self, picked, {name: torch.as_tensor(mask) for name, mask in masks.items()})

    def again(self: TorchModel) -> None:
        taken["steps"] = 0
        reset(self)

    patch.setattr(TorchModel, "_step", late)
    patch.setattr(TorchModel, "reset_optimizer", again)


def of_another_row(
    original: Callable[..., object], self: TorchModel, picked: Tensor, keep: dict[str, Tensor]
) -> object:
    return original(self, picked, {name: mask.flip(0) for name, mask in keep.items()})


def norm(wrap: Callable[..., Tensor]) -> Plant:
    return wrapped(BatchNorm2d, "forward", wrap)


CNN = ("cnn", "bn-c1-k3-s1-n8")
NORMS = tuple(
    Case("cnn", variant, "batch_norm_1", "adam") for variant in ("bn-c1-k3-s1-n8", "bn-c3-k5-s2-n7")
)
UPDATES = tuple(dataclasses.replace(case, step=1) for case in NORMS)
LAYER_NORM = (Case("softmax", "layer_norm", "layer_norm_1"),)
DROPOUT = (
    Case("dropout", "rate_0.5", "dropout_1"),
    Case("dropout", "two_hidden", "dropout_1"),
    Case(*CNN, "spatial_dropout_1"),
)
DROPOUT_STEP = tuple(dataclasses.replace(case, step=1) for case in DROPOUT)
SPATIAL = (Case(*CNN, "spatial_dropout_1"), Case("cnn", "max_same", "spatial_dropout_1"))

FAULTS = [
    *twin("batch_norm.epsilon", "forward_eval", every(BatchNorm2d, eps=1e-5), NORMS),
    *twin("batch_norm.momentum", "step", every(BatchNorm2d, momentum=0.1), UPDATES),
    *twin("batch_norm.bessel", "step", adjusted(other_variance), UPDATES),
    *twin("batch_norm.evaluates_while_training", "forward_train", norm(statistics_of_evaluation),
          NORMS),
    *twin("batch_norm.axis", "forward_eval", around("batch_norm.1", of_each_row),
          (Case("cnn", "equal_channels", "batch_norm_2"),)),
    *twin("batch_norm.gamma_for_beta", "forward_eval", norm(gamma_and_beta_exchanged), NORMS),
    *twin("layer_norm.epsilon", "forward_eval", every(nn.LayerNorm, eps=1e-5), LAYER_NORM),
    *twin("layer_norm.not_centred", "forward_eval", forward_of("layer_norm.0", not_centred),
          LAYER_NORM),
    *twin("dropout.not_rescaled", "forward_train", every(SharedDropout, scale=1.0), DROPOUT),
    *twin("dropout.rate", "forward_train", every(SharedDropout, scale=1 / 0.75), DROPOUT),
    *twin("dropout.elementwise_for_spatial", "forward_train",
          forward_of("spatial_dropout.0", one_place_kept_apart), SPATIAL),
    *twin("dropout.active_in_evaluation", "forward_eval",
          forward_of("dropout.0", in_evaluation_too), DROPOUT[:2]),
    *twin("dropout.spatial_active_in_evaluation", "forward_eval",
          forward_of("spatial_dropout.0", in_evaluation_too), SPATIAL),
    *twin("dropout.mask_of_the_next_step", "step", of_the_next_step, DROPOUT_STEP),
    *twin("dropout.mask_of_another_row", "step", wrapped(TorchModel, "_step", of_another_row),
          DROPOUT_STEP),
]  # fmt: skip
