"""Faults of Gaussian noise, and of dropouts that are not the standard one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from parity_tests.meta.planting import Case, Fault, forward_of, wrapped
from torch_impl.nn.noise import ALPHA_P, AlphaDropout, GaussianDropout, GaussianNoise


def of_variance(layer: GaussianNoise, x: Tensor, drawn: Tensor | None = None) -> Tensor:
    return x + drawn.to(x) * layer.stddev**2 if layer.training and drawn is not None else x


def multiplied(layer: GaussianNoise, x: Tensor, drawn: Tensor | None = None) -> Tensor:
    return x * (1 + drawn.to(x) * layer.stddev) if layer.training and drawn is not None else x


def with_numbers_of_its_own(
    original: object, self: GaussianNoise, x: Tensor, noise: Tensor
) -> Tensor:
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)


def in_evaluation_too(layer: GaussianNoise, x: Tensor, drawn: Tensor | None = None) -> Tensor:
    own = torch.ones_like(x) if drawn is None else drawn.to(x)
    return x + own * layer.stddev


def of_the_mask(layer: GaussianDropout, x: Tensor, drawn: Tensor | None = None) -> Tensor:
    """The standard deviation of a mask, √(r(1 − r)), for that of a rescaled one, √(r/(1 − r))."""
    if drawn is None or not layer.training:
        return x
    return x * (1 + drawn.to(x) * math.sqrt(layer.rate * (1 - layer.rate)))


def not_made_up_for(layer: AlphaDropout, x: Tensor, keep: Tensor | None = None) -> Tensor:
    """Neither a nor b."""
    if keep is None or not layer.training:
        return x
    return torch.where(keep, x, ALPHA_P)


def to_zero(layer: AlphaDropout, x: Tensor, keep: Tensor | None = None) -> Tensor:
    """The standard dropout."""
    if keep is None or not layer.training:
        return x
    return x * keep.to(x) / (1 - layer.rate)


NOISY = (
    Case("softmax", "noise", "noise"),
    Case("dropout", "alpha", "noise"),
    Case("cnn", "noise", "noise"),
)
GAUSSIAN = (Case("dropout", "gaussian", "dropout_1"),)
ALPHA = (Case("dropout", "alpha", "dropout_1"),)

FAULTS = [
    Fault("noise.variance_for_stddev", "forward_train", forward_of("noise", of_variance), NOISY),
    Fault("noise.multiplied", "forward_train", forward_of("noise", multiplied), NOISY[:1]),
    Fault("noise.numbers_of_its_own", "forward_train",
          wrapped(GaussianNoise, "_normal", with_numbers_of_its_own), NOISY[2:]),
    Fault("noise.in_evaluation_too", "forward_eval", forward_of("noise", in_evaluation_too),
          NOISY[1:2]),
    Fault("gaussian_dropout.stddev", "forward_train", forward_of("dropout.0", of_the_mask),
          GAUSSIAN),
    Fault("alpha_dropout.not_made_up_for", "forward_train",
          forward_of("dropout.0", not_made_up_for), ALPHA),
    Fault("alpha_dropout.to_zero", "forward_train", forward_of("dropout.0", to_zero), ALPHA),
]  # fmt: skip
