"""Faults of the optimizers, of clipping and of weight decay."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import torch_impl.ladder.training
from parity.constants import FLAVOURS
from parity.reference.optimizers.spec import OptimizerSpec
from parity.reference.optimizers.table import OPTIMIZERS as TABLE
from parity_tests.meta.planting import Case, Plant, twin, wrapped
from torch_impl.optim import SGD, Adagrad, Adam, KerasOptimizer, Lion, RMSprop
from torch_impl.optim.base import Group


def with_values(**values: float) -> Plant:
    """Give the optimizer other values than the spec's."""

    def make(original: Callable[..., object], spec: OptimizerSpec, *args: object) -> object:
        return original(dataclasses.replace(spec, **values), *args)

    return wrapped(torch_impl.ladder.training, "optimizer_for", make)


def named(name: str) -> Plant:
    """Use another optimizer with the same options and slots."""

    def make(original: Callable[..., object], spec: OptimizerSpec, *args: object) -> object:
        return original(dataclasses.replace(spec, name=name), *args)

    return wrapped(torch_impl.ladder.training, "optimizer_for", make)


def rate_scaled(factor: float) -> Plant:
    def make(original: Callable[..., object], spec: OptimizerSpec, *args: object) -> object:
        scaled = dataclasses.replace(spec, learning_rate=spec.learning_rate * factor)
        return original(scaled, *args)

    return wrapped(torch_impl.ladder.training, "optimizer_for", make)


def instead(
    make: Callable[[dict[str, float], list[Tensor]], torch.optim.Optimizer],
    slots: dict[str, str],
) -> Plant:
    """Use one of ``torch.optim``; ``slots`` maps its state to canonical slots."""

    def build(spec: OptimizerSpec, params: list[Tensor], *args: object) -> torch.optim.Optimizer:
        return make(spec.constants(), params)

    def state(optimizer: torch.optim.Optimizer, spec: OptimizerSpec) -> dict[str, list[Tensor]]:
        params = optimizer.param_groups[0]["params"]
        return {slot: [optimizer.state[p][name] for p in params] for slot, name in slots.items()}

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(torch_impl.ladder.training, "optimizer_for", build)
        patch.setattr(torch_impl.ladder.training, "slots", state)

    return plant


def torch_adam(values: dict[str, float], params: list[Tensor]) -> torch.optim.Optimizer:
    betas = (values["beta_1"], values["beta_2"])
    return torch.optim.Adam(params, lr=values["learning_rate"], betas=betas, eps=values["epsilon"])


def torch_adamax(values: dict[str, float], params: list[Tensor]) -> torch.optim.Optimizer:
    betas = (values["beta_1"], values["beta_2"])
    rate, epsilon = values["learning_rate"], values["epsilon"]
    return torch.optim.Adamax(params, lr=rate, betas=betas, eps=epsilon)


def torch_sgd(values: dict[str, float], params: list[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.SGD(params, lr=values["learning_rate"], momentum=values["momentum"])


def without_correction(
    original: Callable[..., None],
    self: Adam,
    group: Group,
    params: list[Tensor],
    gradients: list[Tensor],
    step: int,
) -> None:
    """Use the rate without bias correction."""
    original(self, group, params, gradients, 10**6)


def largest_forgotten(
    original: Callable[..., None], self: Adam, group: Group, params: list[Tensor], *args: object
) -> None:
    """Adam instead of AMSGrad: the largest second moment is forgotten after each step."""
    for largest in self.of(params, "v_hat"):
        largest.zero_()
    original(self, group, params, *args)


def forgetting(original: Callable[..., object], self: KerasOptimizer, *args: object) -> object:
    self.state.clear()
    return original(self, *args)


def coupled(
    original: Callable[..., None],
    self: KerasOptimizer,
    weights: list[list[Tensor]],
    gradients: list[list[Tensor]],
) -> None:
    """Add the decay to the gradient, as ``torch.optim.SGD`` does."""
    (group,), (params,), (of_group,) = self.param_groups, weights, gradients
    group["weight_decay"] = 0.0
    decay = self.defaults["weight_decay"]
    of_group[:] = [g + decay * p for p, g in zip(params, of_group, strict=True)]
    original(self, weights, gradients)


def exchanged(original: Callable[..., None], self: KerasOptimizer, *args: object) -> None:
    """Clip the global norm instead of each tensor's, and vice versa."""
    (group,) = self.param_groups
    group["clipnorm"], self.global_clipnorm = self.global_clipnorm, group["clipnorm"]
    original(self, *args)
    group["clipnorm"], self.global_clipnorm = self.global_clipnorm, group["clipnorm"]


def clipped_by_torch(
    original: Callable[..., None],
    self: KerasOptimizer,
    weights: list[list[Tensor]],
    gradients: list[list[Tensor]],
) -> None:
    """Clip like ``clip_grad_norm_``, which adds 1e-6 to the norm."""
    (of_group,) = gradients
    norm = torch.nn.utils.get_total_norm(of_group)
    factor = (self.global_clipnorm / (norm + 1e-6)).clamp_max(1.0)
    of_group[:] = [gradient * factor for gradient in of_group]


def epsilon_outside(
    original: Callable[..., None],
    self: KerasOptimizer,
    group: Group,
    params: list[Tensor],
    gradients: list[Tensor],
    step: int,
) -> None:
    """Add ε outside the root, as PyTorch's Adagrad and RMSprop do."""
    before = [param.clone() for param in params]
    original(self, group, params, gradients, step)
    (slot,) = self.slots_of(group)
    for param, old, squares, g in zip(
        params, before, self.of(params, slot), gradients, strict=True
    ):
        param.copy_(old - group["lr"] * g / (squares.sqrt() + group["eps"]))


def sign_of_the_new_moment(
    original: Callable[..., None],
    self: Lion,
    group: Group,
    params: list[Tensor],
    gradients: list[Tensor],
    step: int,
) -> None:
    """Update the moment first, then use its sign."""
    before = [param.clone() for param in params]
    original(self, group, params, gradients, step)
    for param, old, moment in zip(params, before, self.of(params, "m"), strict=True):
        param.copy_(old - group["lr"] * moment.sign())


def of_the_other_keras(
    original: Callable[..., None], self: KerasOptimizer, *args: object, **others: object
) -> None:
    """Begin the moving average as the other Keras does: with the weights before a step, or after.

    (Nothing else of these optimizers knows the Keras.)
    """
    flavour = others.pop("flavour", FLAVOURS[0])
    original(self, *args, **others, flavour=FLAVOURS[FLAVOURS[0] == flavour])


def other_share(
    original: Callable[..., None], self: KerasOptimizer, weights: object, step: int
) -> None:
    """Change the average's momentum after the first step, in which Keras 3 does not use it."""
    momentum = self.ema_momentum
    self.ema_momentum = momentum if step == 1 else 0.99
    original(self, weights, step)
    self.ema_momentum = momentum


OPTIMIZERS = tuple(TABLE)
MOMENTS = ("adam", "amsgrad", "adamw", "adamax", "nadam")

MODELS = (
    ("softmax", "hidden_32_16-logits"),
    ("dropout", "rate_0.5"),
    ("cnn", "bn-c1-k3-s1-n8"),
    ("rnn", "gru_after-1-uni-fixed"),
)


FEW = (MODELS[0], MODELS[3])
"""Models for faults of optimizers that do not depend on the kind of model."""


def trained_by(*optimizers: str, recipe: str = "", step: int = 1) -> tuple[Case, ...]:
    found = []
    for optimizer in optimizers:
        models = MODELS if optimizer in ("sgd", "momentum", "nesterov", "adam") else FEW
        found += [
            Case(*model, "optimizer", optimizer, recipe=recipe, step=step)
            for model in models
            if not (recipe and model[0] == "dropout")
        ]
    return tuple(found)


clip = functools.partial(wrapped, KerasOptimizer, "_clip")

FAULTS = [
    *twin("adam.epsilon", "step", with_values(epsilon=1e-8), trained_by("adam")),
    *twin("adam.epsilon_placement", "step",
          instead(torch_adam, {"m": "exp_avg", "v": "exp_avg_sq"}), trained_by("adam")),
    *twin("adam.beta_1", "step", with_values(beta_1=0.95), trained_by(*MOMENTS)),
    *twin("adam.beta_2", "step", with_values(beta_2=0.99), trained_by("adam", "nadam")),
    *twin("adam.bias_correction_missing", "step", wrapped(Adam, "update", without_correction),
          trained_by("adam")),
    *twin("amsgrad.off", "steps", wrapped(Adam, "update", largest_forgotten),
          trained_by("amsgrad", step=2)),
    *twin("adamax.norm_forgets_otherwise", "steps", with_values(beta_2=0.9),
          trained_by("adamax", step=2)),
    *twin("optimizer.rate_off_by_a_millionth", "step", rate_scaled(1 + 1e-6),
          trained_by(*OPTIMIZERS)),
    *twin("momentum.value", "steps", with_values(momentum=0.8), trained_by("momentum", step=2)),
    *twin("momentum.rate_outside", "step", instead(torch_sgd, {"velocity": "momentum_buffer"}),
          trained_by("momentum")),
    *twin("nesterov.off", "step",
          wrapped(SGD, "__init__",
                  lambda original, *args, nesterov=False, **kwargs: original(*args, **kwargs)),
          trained_by("nesterov")),
    *twin("optimizer.slots_not_carried", "steps", wrapped(SGD, "step", forgetting),
          trained_by("momentum", step=2)),
    *twin("adam.slots_not_carried", "steps", wrapped(Adam, "step", forgetting),
          trained_by("adam", step=2)),
    *twin("weight_decay.coupled", "step", clip(coupled),
          trained_by("momentum", "adam", recipe="weight_decay")),
    *twin("weight_decay.missing", "step", with_values(weight_decay=0.0),
          trained_by("sgd", "adam", recipe="weight_decay")),
    *twin("clipping.global_for_each_tensor", "step", clip(exchanged),
          trained_by("sgd", recipe="clipnorm")),
    *twin("clipping.each_tensor_for_global", "step", clip(exchanged),
          trained_by("sgd", recipe="global_clipnorm")),
    *twin("clipping.epsilon_in_the_norm", "step", clip(clipped_by_torch),
          trained_by("sgd", recipe="global_clipnorm")),
    *twin("clipping.values_not_clipped", "step", with_values(clipvalue=0.0),
          trained_by("sgd", recipe="clipvalue")),
    *twin("adagrad.begins_with_zero", "step", with_values(initial_accumulator_value=0.0),
          trained_by("adagrad")),
    *twin("adagrad.epsilon_placement", "step", wrapped(Adagrad, "update", epsilon_outside),
          trained_by("adagrad")),
    *twin("adadelta.rho", "step", with_values(rho=0.9), trained_by("adadelta")),
    *twin("adadelta.epsilon", "step", with_values(epsilon=1e-6), trained_by("adadelta")),
    *twin("adamax.epsilon_within_the_maximum", "step",
          instead(torch_adamax, {"m": "exp_avg", "u": "exp_inf"}), trained_by("adamax")),
    *twin("rmsprop.epsilon_placement", "step", wrapped(RMSprop, "update", epsilon_outside),
          trained_by("rmsprop")),
    *twin("rmsprop.rho", "step", with_values(rho=0.99), trained_by("rmsprop")),
    *twin("nadam.without_looking_ahead", "step", named("adam"), trained_by("nadam")),
    *twin("ftrl.begins_with_less", "step", with_values(initial_accumulator_value=0.01),
          trained_by("ftrl")),
    *twin("ftrl.power", "step", with_values(learning_rate_power=-0.6), trained_by("ftrl")),
    *twin("lion.order", "steps", wrapped(Lion, "update", sign_of_the_new_moment),
          trained_by("lion", step=2)),
    *twin("average.begins_otherwise", "step",
          wrapped(KerasOptimizer, "__init__", of_the_other_keras),
          trained_by("sgd", "adam", recipe="average")),
    *twin("average.momentum", "steps", wrapped(KerasOptimizer, "_average", other_share),
          trained_by("sgd", recipe="average", step=4)),
    *twin("average.does_not_overwrite", "steps", with_values(ema_overwrite_frequency=0),
          trained_by("sgd", recipe="average", step=4)),
]  # fmt: skip
