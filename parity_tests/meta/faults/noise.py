"""Faults of Gaussian noise and of special kinds of dropout."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from parity_tests.meta.planting import Case, forward_of, twin, wrapped
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
    noise = torch.ones_like(x) if drawn is None else drawn.to(x)
    return x + noise * layer.stddev


def of_the_mask(layer: GaussianDropout, x: Tensor, drawn: Tensor | None = None) -> Tensor:
    """Use a mask's standard deviation √(r(1 − r)) for a rescaled mask's √(r/(1 − r))."""
    if drawn is None or not layer.training:
        return x
    return x * (1 + drawn.to(x) * math.sqrt(layer.rate * (1 - layer.rate)))


def not_made_up_for(layer: AlphaDropout, x: Tensor, keep: Tensor | None = None) -> Tensor:
    """Apply neither the factor a nor the offset b."""
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
    *twin("noise.variance_for_stddev", "forward_train", forward_of("noise", of_variance), NOISY),
    *twin("noise.multiplied", "forward_train", forward_of("noise", multiplied), NOISY[:1]),
    *twin("noise.numbers_of_its_own", "forward_train",
          wrapped(GaussianNoise, "_normal", with_numbers_of_its_own), NOISY[2:]),
    *twin("noise.in_evaluation_too", "forward_eval", forward_of("noise", in_evaluation_too),
          NOISY[1:2]),
    *twin("gaussian_dropout.stddev", "forward_train", forward_of("dropout.0", of_the_mask),
          GAUSSIAN),
    *twin("alpha_dropout.not_made_up_for", "forward_train",
          forward_of("dropout.0", not_made_up_for), ALPHA),
    *twin("alpha_dropout.to_zero", "forward_train", forward_of("dropout.0", to_zero), ALPHA),
]  # fmt: skip
