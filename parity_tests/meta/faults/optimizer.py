"""Faults of the optimizers, of clipping and of weight decay."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import torch_impl.optimizers
import torch_impl.training
from parity.optimizers import OptimizerSpec
from parity_tests.meta.planting import Case, Fault, Plant, wrapped
from torch_impl.optimizers import BeforeStep, KerasAdam, KerasSGD


def with_values(**values: float) -> Plant:
    """Give the optimizer other values than the spec's."""

    def make(original: Callable[..., object], spec: OptimizerSpec, *args: object) -> object:
        return original(dataclasses.replace(spec, **values), *args)

    return wrapped(torch_impl.training, "optimizer_for", make)


def rate_scaled(factor: float) -> Plant:
    def make(original: Callable[..., object], spec: OptimizerSpec, *args: object) -> object:
        scaled = dataclasses.replace(spec, learning_rate=spec.learning_rate * factor)
        return original(scaled, *args)

    return wrapped(torch_impl.training, "optimizer_for", make)


def instead(
    make: Callable[[dict[str, float], list[Tensor]], torch.optim.Optimizer],
    slots: dict[str, str],
) -> Plant:
    """Use one of PyTorch's own optimizers; ``slots`` says which state is which canonical slot."""

    def own(spec: OptimizerSpec, params: list[Tensor], *args: object) -> torch.optim.Optimizer:
        return make(spec.constants(), params)

    def state(optimizer: torch.optim.Optimizer, spec: OptimizerSpec) -> dict[str, list[Tensor]]:
        params = optimizer.param_groups[0]["params"]
        return {slot: [optimizer.state[p][name] for p in params] for slot, name in slots.items()}

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(torch_impl.training, "optimizer_for", own)
        patch.setattr(torch_impl.training, "slots", state)

    return plant


def torch_adam(values: dict[str, float], params: list[Tensor]) -> torch.optim.Optimizer:
    betas = (values["beta_1"], values["beta_2"])
    return torch.optim.Adam(params, lr=values["learning_rate"], betas=betas, eps=values["epsilon"])


def torch_sgd(values: dict[str, float], params: list[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.SGD(params, lr=values["learning_rate"], momentum=values["momentum"])


def without_correction(original: Callable[..., object], self: KerasAdam) -> object:
    """Take the plain rate, as if every step were a late one."""
    for group in self.param_groups:
        for param in group["params"]:
            self.state[param]["step"] = 10**6
    return original(self)


def forgetting(original: Callable[..., object], self: KerasSGD, *args: object) -> object:
    self.state.clear()
    return original(self, *args)


def coupled(
    original: Callable[..., None], self: BeforeStep, optimizer: torch.optim.Optimizer, *args: object
) -> None:
    """Add the decay to the gradient, as ``torch.optim.SGD`` does."""
    for group in optimizer.param_groups:
        for param in group["params"]:
            param.grad.add_(param.detach(), alpha=self.decay)
    decay, self.decay = self.decay, 0.0
    original(self, optimizer, *args)
    self.decay = decay


def exchanged(
    original: Callable[..., None], self: BeforeStep, optimizer: torch.optim.Optimizer, *args: object
) -> None:
    """Clip the norm of all where each tensor's was meant, and the other way round."""
    self.largest, self.largest_of_all = self.largest_of_all, self.largest
    original(self, optimizer, *args)
    self.largest, self.largest_of_all = self.largest_of_all, self.largest


def clipped_by_torch(
    original: Callable[..., None], self: BeforeStep, optimizer: torch.optim.Optimizer, *args: object
) -> None:
    """``clip_grad_norm_``, which adds 1e-6 to the norm."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    torch.nn.utils.clip_grad_norm_(params, self.largest_of_all)


MODELS = (
    ("softmax", "hidden_32_16-logits"),
    ("dropout", "rate_0.5"),
    ("cnn", "bn-c1-k3-s1-n8"),
    ("rnn", "gru_after-1-uni-fixed"),
)


def trained_by(*optimizers: str, recipe: str = "", step: int = 1) -> tuple[Case, ...]:
    models = [model for model in MODELS if not (recipe and model[0] == "dropout")]
    return tuple(
        Case(*model, "optimizer", optimizer, recipe=recipe, step=step)
        for optimizer in optimizers
        for model in models
    )


before_step = functools.partial(wrapped, BeforeStep, "__call__")

FAULTS = [
    Fault("adam.epsilon", "step", with_values(epsilon=1e-8), trained_by("adam")),
    Fault("adam.epsilon_placement", "step",
          instead(torch_adam, {"m": "exp_avg", "v": "exp_avg_sq"}), trained_by("adam")),
    Fault("adam.beta_1", "step", with_values(beta_1=0.95), trained_by("adam")),
    Fault("adam.beta_2", "step", with_values(beta_2=0.99), trained_by("adam")),
    Fault("adam.bias_correction_missing", "step", wrapped(KerasAdam, "step", without_correction),
          trained_by("adam")),
    Fault("optimizer.rate_off_by_a_millionth", "step", rate_scaled(1 + 1e-6),
          trained_by("sgd", "momentum", "nesterov", "adam")),
    Fault("momentum.value", "steps", with_values(momentum=0.8), trained_by("momentum", step=2)),
    Fault("momentum.rate_outside", "step", instead(torch_sgd, {"velocity": "momentum_buffer"}),
          trained_by("momentum")),
    Fault("nesterov.off", "step",
          wrapped(KerasSGD, "__init__",
                  lambda original, *args, nesterov=False, **kwargs: original(*args, **kwargs)),
          trained_by("nesterov")),
    Fault("optimizer.slots_not_carried", "steps", wrapped(KerasSGD, "step", forgetting),
          trained_by("momentum", step=2)),
    Fault("adam.slots_not_carried", "steps", wrapped(KerasAdam, "step", forgetting),
          trained_by("adam", step=2)),
    Fault("weight_decay.coupled", "step", before_step(coupled),
          trained_by("momentum", "adam", recipe="weight_decay")),
    Fault("weight_decay.missing", "step", with_values(weight_decay=0.0),
          trained_by("sgd", "adam", recipe="weight_decay")),
    Fault("clipping.global_for_each_tensor", "step", before_step(exchanged),
          trained_by("sgd", recipe="clipnorm")),
    Fault("clipping.each_tensor_for_global", "step", before_step(exchanged),
          trained_by("sgd", recipe="global_clipnorm")),
    Fault("clipping.epsilon_in_the_norm", "step", before_step(clipped_by_torch),
          trained_by("sgd", recipe="global_clipnorm")),
]  # fmt: skip
