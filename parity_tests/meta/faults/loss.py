"""Faults of the loss: reduction, weights, and logits for probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import parity.specs.weights
from parity.specs.weights import probe_weights
from parity_tests.meta.planting import Case, twin, wrapped
from torch_impl.ladder.training import TorchModel
from torch_impl.parts.losses import HeadLoss

Loss = Callable[[HeadLoss, Tensor, Tensor], Tensor]


def saturated_logits(patch: pytest.MonkeyPatch) -> None:
    """Scale the initial weights of both sides until probabilities leave [1e-7, 1 − 1e-7]."""

    def scaled(*args: object) -> dict[str, np.ndarray]:
        weights = probe_weights(*args)
        return {**weights, "logits/kernel": 64 * weights["logits/kernel"]}

    patch.setattr(parity.specs.weights, "probe_weights", scaled)


def summed(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    return original(self, y, outputs) * len(y)


def smoothed(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    return F.cross_entropy(outputs, y, label_smoothing=1e-4)


def not_smoothed(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    return F.cross_entropy(outputs, y)


def normalised(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """PyTorch's class weights: divided by their sum over the batch."""
    weights = self.class_weights.to(outputs)
    return F.cross_entropy(outputs, y, weight=weights)


def not_clipped(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """PyTorch's loss, which clips only the logarithm."""
    if self.sigmoid:
        return F.binary_cross_entropy(outputs[:, 0], y.to(outputs.dtype))
    return F.nll_loss(outputs.log().clamp_min(-100), y)


def taken_for_logits(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """Pass probabilities to a loss that takes logits."""
    return F.cross_entropy(outputs, y)


def taken_for_probabilities(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """Pass logits to a loss that takes probabilities."""
    return F.nll_loss(outputs.clamp(1e-7, 1 - 1e-7).log(), y)


def short_batch_as_a_full_one(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """Divide by the batch size of the spec, even for a shorter batch."""
    return original(self, y, outputs) * (len(y) / 32)


def one_hot(y: Tensor, outputs: Tensor) -> Tensor:
    return F.one_hot(y, outputs.shape[1]).to(outputs.dtype)


def smooth_l1(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """PyTorch's other Huber loss, which is divided by δ."""
    return F.smooth_l1_loss(outputs, one_hot(y, outputs), beta=self.loss.delta)


def hinge_of_zero_and_one(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """Do not convert labels to −1 and 1."""
    return (1.0 - one_hot(y, outputs) * outputs).clamp_min(0.0).mean()


def summed_over_classes(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """The squared error as often written by hand: a mean over the batch only."""
    return F.mse_loss(outputs, one_hot(y, outputs), reduction="sum") / len(y)


def divergence_not_clipped(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """PyTorch's divergence without clipping, in which only the label's entry counts."""
    return F.kl_div(outputs.log(), one_hot(y, outputs), reduction="batchmean")


def divergence_by_all_entries(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """PyTorch's default reduction."""
    return original(self, y, outputs) / outputs.shape[1]


def smaller_epsilon(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """PyTorch's loss, with 1e-8 inside the logarithm instead of Keras's 1e-7."""
    return F.poisson_nll_loss(outputs, one_hot(y, outputs), log_input=False)


def rates_for_logarithms(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """PyTorch's default, which takes logarithms."""
    return F.poisson_nll_loss(outputs, one_hot(y, outputs), log_input=True)


def positive_similarity(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """PyTorch's sign: a similarity, not a loss."""
    return F.cosine_similarity(outputs, one_hot(y, outputs)).mean()


def margins_of_all(original: Loss, self: HeadLoss, y: Tensor, outputs: Tensor) -> Tensor:
    """PyTorch's margin: over all wrong classes, not only the strongest."""
    return F.multi_margin_loss(outputs, y)


def l2_halved(
    original: Callable[..., Tensor], self: TorchModel, y: Tensor, outputs: Tensor
) -> Tensor:
    """PyTorch's convention, in which the gradient is λ·w."""
    data = self.loss_fn(y, outputs)
    return data + (original(self, y, outputs) - data) / 2


def l2_of_biases_too(
    original: Callable[..., Tensor], self: TorchModel, y: Tensor, outputs: Tensor
) -> Tensor:
    biases = (p.square().sum() for name, p in self.model.named_parameters() if "bias" in name)
    return original(self, y, outputs) + self.spec.model.l2 * torch.stack(list(biases)).sum()


def of_loss(change: Callable[..., Tensor]) -> Callable[[pytest.MonkeyPatch], None]:
    return wrapped(HeadLoss, "forward", change)


def everywhere(part: str = "loss", step: int | None = None) -> tuple[Case, ...]:
    return (
        Case("softmax", "hidden_32_16-logits", part, step=step),
        Case("dropout", "rate_0.5", part, step=step),
        Case("cnn", "bn-c1-k3-s1-n8", part, step=step),
        Case("rnn", "gru_after-1-uni-variable", part, step=step),
    )


PROBABILITIES = tuple(
    Case(family, variant, "loss")
    for family, variant in (
        ("softmax", "hidden_32_16-probabilities"),
        ("dropout", "probabilities"),
        ("cnn", "probabilities"),
        ("rnn", "probabilities"),
    )
)
BINARY = tuple(
    Case(family, variant, "loss")
    for family, variant in (
        ("softmax", "hidden_32_16-binary_probabilities"),
        ("dropout", "binary_probabilities"),
        ("cnn", "binary_probabilities"),
        ("rnn", "binary_probabilities"),
    )
)
TRAINED_SO = (
    ("softmax", "hidden_32_16-logits"),
    ("cnn", "bn-c1-k3-s1-n8"),
    ("rnn", "gru_after-1-uni-fixed"),
)
WEIGHTED = tuple(Case(*model, "loss", recipe="class_weights") for model in TRAINED_SO)
SMOOTHED = tuple(Case(*model, "loss", recipe="label_smoothing") for model in TRAINED_SO)
PENALISED = (Case("softmax", "l2", "loss"), Case("cnn", "l2", "loss"))


def by(loss: str) -> tuple[Case, ...]:
    """A model that is trained with a loss other than the cross-entropy."""
    return (Case("softmax", "hidden_32_16-probabilities", "loss", recipe=loss),)


FAULTS = [
    *twin("loss.sum_for_mean", "loss", of_loss(summed), everywhere()),
    *twin("loss.label_smoothing", "loss", of_loss(smoothed), everywhere()),
    *twin("loss.labels_not_smoothed", "loss", of_loss(not_smoothed), SMOOTHED),
    *twin("loss.class_weights_normalised", "loss", of_loss(normalised), WEIGHTED),
    *twin("loss.probabilities_not_clipped", "loss", of_loss(not_clipped),
          PROBABILITIES, drive=saturated_logits),
    *twin("loss.binary_not_clipped", "loss", of_loss(not_clipped),
          BINARY, drive=saturated_logits),
    *twin("loss.probabilities_for_logits", "loss", of_loss(taken_for_logits), PROBABILITIES),
    *twin("loss.logits_for_probabilities", "loss", of_loss(taken_for_probabilities), everywhere()),
    *twin("loss.short_batch_as_a_full_one", "steps", of_loss(short_batch_as_a_full_one),
          everywhere(step=5)),
    *twin("loss.huber_divided_by_delta", "loss", of_loss(smooth_l1), by("huber")),
    *twin("loss.hinge_of_zero_and_one", "loss", of_loss(hinge_of_zero_and_one),
          (*by("hinge"), *(Case(*model, "loss", recipe="hinge") for model in TRAINED_SO[1:]))),
    *twin("loss.squares_summed_over_classes", "loss", of_loss(summed_over_classes),
          by("mean_squared_error")),
    *twin("loss.divergence_not_clipped", "loss", of_loss(divergence_not_clipped),
          by("kl_divergence")),
    *twin("loss.divergence_by_all_entries", "loss", of_loss(divergence_by_all_entries),
          by("kl_divergence")),
    *twin("loss.poisson_epsilon", "loss", of_loss(smaller_epsilon), by("poisson")),
    *twin("loss.poisson_of_logarithms", "loss", of_loss(rates_for_logarithms), by("poisson")),
    *twin("loss.similarity_sign", "loss", of_loss(positive_similarity), by("cosine_similarity")),
    *twin("loss.margins_of_all_classes", "loss", of_loss(margins_of_all), by("categorical_hinge")),
    *twin("l2.factor", "loss", wrapped(TorchModel, "_objective", l2_halved), PENALISED),
    *twin("l2.of_biases_too", "loss", wrapped(TorchModel, "_objective", l2_of_biases_too),
          PENALISED),
]  # fmt: skip
