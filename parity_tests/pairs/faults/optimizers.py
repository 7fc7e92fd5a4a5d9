"""Faults of optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from parity.constants import as_float32
from parity_tests.pairs.faults.losses import X, crossentropy, logits, port
from parity_tests.pairs.faults.small import fault
from parity_tests.support.fault import Fault, Pair
from torch_impl import optim

O = torch.optim  # noqa: E741


def row(
    name: str,
    keras_optimizer: Callable[[Any], Any],
    torch_optimizer: Callable[[Any], Any],
    *causes: str,
    rung: str = "step",
    **more: Any,
) -> Fault[Pair]:
    """A fault of an optimizer, as a function of ``keras.optimizers`` or of the parameters."""
    return fault(
        name, X, logits, port, "", causes, rung, loss=crossentropy,
        optimizer=lambda keras: (keras_optimizer(keras.optimizers), torch_optimizer), **more,
    )  # fmt: skip


class Forgetful(O.SGD):
    """SGD that forgets its momentum."""

    def step(self, closure: Any = None) -> Any:
        """Take a step without a state."""
        self.state.clear()
        return super().step(closure)


def exponential(optimizers: Any) -> Any:
    """A schedule that halves the learning rate after every step."""
    return optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)


def scheduled(
    scheduler: Callable[[Any], Any], rate: float, **options: Any
) -> Callable[[Any], tuple[Any, Any]]:
    """PyTorch's SGD with a scheduler."""

    def made(params: Any) -> tuple[Any, Any]:
        optimizer = O.SGD(params, lr=rate, **options)
        return optimizer, scheduler(optimizer)

    return made


class Late(optim.Adam):
    """Adam without bias correction."""

    def update(self, group: Any, params: Any, gradients: Any, step: int) -> None:
        """Update as in the millionth step, which needs no correction."""
        super().update(group, params, gradients, 10**6)


class Guarded(O.SGD):
    """SGD that clips like PyTorch, which adds 1e-6 to the norm."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, lr=0.1)

    def step(self, closure: Any = None) -> Any:
        """Clip, then take the step."""
        nn.utils.clip_grad_norm_(self.param_groups[0]["params"], 0.01)
        return super().step(closure)


class SignOfTheNew(O.Optimizer):
    """Lion that updates its moment before it takes the sign."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, {"lr": 0.1})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update every weight that has a gradient."""
        for one in self.param_groups[0]["params"]:
            if one.grad is not None:
                moment = self.state[one].get("m", torch.zeros_like(one))
                self.state[one]["m"] = 0.99 * moment + 0.01 * one.grad
                one -= self.param_groups[0]["lr"] * self.state[one]["m"].sign()


class Clipped(O.SGD):
    """SGD that clips the norm of all gradients together."""

    def step(self, closure: Any = None) -> Any:
        """Clip, then take the step."""
        params = [one for group in self.param_groups for one in group["params"]]
        nn.utils.clip_grad_norm_(params, 0.05)
        return super().step(closure)


class Decoupled(O.Optimizer):
    """SGD that shrinks all weights before the step."""

    def __init__(self, params: Any, lr: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            for one in group["params"]:
                one.mul_(1 - group["lr"] * group["weight_decay"])
                one.add_(one.grad, alpha=-group["lr"])


def without_biases(optimizers: Any) -> Any:
    """Keras's SGD with weight decay of the kernels."""
    made = optimizers.SGD(0.1, weight_decay=0.05)
    made.exclude_from_weight_decay(var_names=["bias"])
    return made


FAULTS = [
    row("optimizer.clips_all_together", lambda o: o.SGD(0.1, clipnorm=0.05),
        lambda p: Clipped(p, lr=0.1), "optimizer.clipnorm"),
    row("optimizer.decays_biases", without_biases,
        lambda p: Decoupled(p, lr=0.1, weight_decay=0.05), "optimizer.weight_decay"),
    row("optimizer.decays_weights_not_rate",
        lambda o: o.SGD(o.schedules.InverseTimeDecay(0.1, 1, 0.02)),
        lambda p: O.SGD(p, lr=0.1, weight_decay=0.02), "optimizer.weight_decay",
        "optimizer.learning_rate"),
    row("optimizer.rate_off_by_a_millionth", lambda o: o.SGD(0.1),
        lambda p: O.SGD(p, lr=0.1 * (1 + 1e-6)), "optimizer.learning_rate"),
    row("optimizer.default_rate", lambda o: o.SGD(), lambda p: O.SGD(p), "optimizer.learning_rate"),
    row("momentum.value", lambda o: o.SGD(0.1, momentum=0.9),
        lambda p: O.SGD(p, lr=0.1, momentum=0.8), "sgd.momentum", rung="steps"),
    row("momentum.dampening", lambda o: o.SGD(0.1, momentum=0.9),
        lambda p: O.SGD(p, lr=0.1, momentum=0.9, dampening=0.5), "sgd.dampening", rung="steps"),
    row("nesterov.off", lambda o: o.SGD(0.1, momentum=0.9, nesterov=True),
        lambda p: O.SGD(p, lr=0.1, momentum=0.9), "sgd.nesterov"),
    row("optimizer.slots_not_carried", lambda o: o.SGD(0.1, momentum=0.9),
        lambda p: Forgetful(p, lr=0.1, momentum=0.9), rung="steps",
        unnamed="a custom optimizer has no formula"),
    row("adam.epsilon", lambda o: o.Adam(), lambda p: optim.Adam(p, eps=1e-8), "adam.epsilon"),
    row("adam.epsilon_placement", lambda o: o.Adam(), lambda p: O.Adam(p, eps=1e-7),
        "adam.epsilon_placement"),
    row("adam.beta_1", lambda o: o.Adam(), lambda p: optim.Adam(p, betas=(0.95, 0.999)),
        "adam.beta_1", rung="steps"),
    row("adam.beta_2", lambda o: o.Adam(), lambda p: optim.Adam(p, betas=(0.9, 0.99)),
        "adam.beta_2"),
    row("amsgrad.off", lambda o: o.Adam(3.0, amsgrad=True), lambda p: optim.Adam(p, lr=3.0),
        "adam.amsgrad", rung="steps"),
    row("adam.for_sgd", lambda o: o.SGD(0.001), lambda p: O.Adam(p), "optimizer.kind"),
    row("nadam.without_looking_ahead", lambda o: o.Nadam(), lambda p: optim.Adam(p),
        "optimizer.kind"),
    row("nadam.momentum_decay", lambda o: o.Nadam(), lambda p: O.NAdam(p, lr=1e-3, eps=1e-7),
        "nadam.momentum_decay"),
    row("adamax.epsilon_within_the_maximum", lambda o: o.Adamax(),
        lambda p: O.Adamax(p, lr=1e-3, eps=1e-7), "adamax.epsilon_placement", rung="steps"),
    row("adamax.beta_2", lambda o: o.Adamax(), lambda p: optim.Adamax(p, betas=(0.9, 0.99)),
        "adamax.beta_2", rung="steps"),
    row("adam.bias_correction_missing", lambda o: o.Adam(), Late,
        unnamed="a custom optimizer has no formula"),
    row("adamw.weight_decay", lambda o: o.AdamW(), lambda p: optim.AdamW(p, weight_decay=0.01),
        "adamw.weight_decay"),
    row("weight_decay.coupled", lambda o: o.SGD(0.1, momentum=0.9, weight_decay=0.05),
        lambda p: O.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.05), "optimizer.weight_decay",
        rung="steps"),
    row("weight_decay.missing", lambda o: o.SGD(0.1, weight_decay=0.05),
        lambda p: O.SGD(p, lr=0.1), "optimizer.weight_decay"),
    row("weight_decay.added", lambda o: o.SGD(0.1),
        lambda p: O.SGD(p, lr=0.1, weight_decay=0.05), "optimizer.weight_decay"),
    row("clipping.norms_not_clipped", lambda o: o.SGD(0.1, clipnorm=0.01),
        lambda p: O.SGD(p, lr=0.1), "optimizer.clipnorm"),
    row("clipping.values_not_clipped", lambda o: o.SGD(0.1, clipvalue=0.001),
        lambda p: O.SGD(p, lr=0.1), "optimizer.clipvalue"),
    row("clipping.global_norm_not_clipped", lambda o: o.SGD(0.1, global_clipnorm=0.01),
        lambda p: O.SGD(p, lr=0.1), "optimizer.global_clipnorm"),
    row("clipping.global_for_each_tensor", lambda o: o.SGD(0.1, clipnorm=0.01),
        lambda p: optim.SGD(p, lr=0.1, global_clipnorm=0.01), "optimizer.clipnorm"),
    row("clipping.each_tensor_for_global", lambda o: o.SGD(0.1, global_clipnorm=0.01),
        lambda p: optim.SGD(p, lr=0.1, clipnorm=0.01), "optimizer.global_clipnorm"),
    row("clipping.epsilon_in_the_norm", lambda o: o.SGD(0.1, global_clipnorm=0.01), Guarded,
        "optimizer.global_clipnorm"),
    row("schedule.a_step_ahead", lambda o: o.SGD(exponential(o)),
        scheduled(lambda one: lr_scheduler.LambdaLR(one, lambda step: 0.5 ** (step + 1)), 0.1),
        "optimizer.learning_rate"),
    row("schedule.left_out", lambda o: o.SGD(exponential(o)), lambda p: O.SGD(p, lr=0.1),
        "optimizer.learning_rate", rung="steps"),
    row("momentum.rate_outside", lambda o: o.SGD(exponential(o), momentum=0.9),
        scheduled(lambda one: lr_scheduler.ExponentialLR(one, 0.5), 0.1, momentum=0.9),
        "sgd.momentum_buffer", rung="steps"),
    row("average.left_out", lambda o: o.SGD(0.1, use_ema=True, ema_overwrite_frequency=2),
        lambda p: O.SGD(p, lr=0.1), rung="steps", unnamed="averages have no formula",
        entry="optimizer.ema_start"),
    row("adagrad.begins_with_zero", lambda o: o.Adagrad(0.01),
        lambda p: optim.Adagrad(p, lr=0.01, initial_accumulator_value=0.0),
        "adagrad.initial_accumulator"),
    row("adagrad.epsilon_placement", lambda o: o.Adagrad(0.01),
        lambda p: O.Adagrad(p, lr=0.01, initial_accumulator_value=as_float32(0.1), eps=1e-7),
        "adagrad.epsilon_placement"),
    row("adadelta.rho", lambda o: o.Adadelta(1.0), lambda p: O.Adadelta(p, rho=0.9, eps=1e-7),
        "adadelta.constants"),
    row("adadelta.epsilon", lambda o: o.Adadelta(1.0), lambda p: O.Adadelta(p, rho=0.95, eps=1e-6),
        "adadelta.constants"),
    row("rmsprop.epsilon_placement", lambda o: o.RMSprop(),
        lambda p: O.RMSprop(p, lr=1e-3, alpha=0.9, eps=1e-7), "rmsprop.epsilon_placement"),
    row("rmsprop.rho", lambda o: o.RMSprop(), lambda p: optim.RMSprop(p, rho=0.99), "rmsprop.rho"),
    row("lion.betas", lambda o: o.Lion(0.1), lambda p: optim.Lion(p, lr=0.1, betas=(0.99, 0.99)),
        "lion.beta_1", rung="steps"),
    row("lion.order", lambda o: o.Lion(0.1), SignOfTheNew, rung="steps",
        unnamed="a custom optimizer has no formula"),
    row("ftrl.begins_with_less", lambda o: o.Ftrl(0.1),
        lambda p: optim.Ftrl(p, lr=0.1, initial_accumulator_value=0.05),
        "ftrl.initial_accumulator_value"),
    row("ftrl.power", lambda o: o.Ftrl(0.1),
        lambda p: optim.Ftrl(p, lr=0.1, lr_power=-0.6), "ftrl.learning_rate_power"),
    row("lion.for_adam", lambda o: o.Adam(), lambda p: optim.Lion(p, lr=1e-3), "optimizer.kind"),
    row("adam.defaults", lambda o: o.Adam(), O.Adam, "adam.epsilon", "adam.epsilon_placement"),
    row("adamw.defaults", lambda o: o.AdamW(), O.AdamW,
        "adam.epsilon", "adam.epsilon_placement", "adamw.weight_decay"),
    row("rmsprop.defaults", lambda o: o.RMSprop(), lambda p: O.RMSprop(p, lr=1e-3),
        "rmsprop.epsilon", "rmsprop.epsilon_placement", "rmsprop.rho"),
    row("adagrad.defaults", lambda o: o.Adagrad(0.01), lambda p: O.Adagrad(p, lr=0.01, eps=1e-7),
        "adagrad.epsilon_placement", "adagrad.initial_accumulator"),
    row("adadelta.defaults", lambda o: o.Adadelta(1.0), O.Adadelta, "adadelta.constants"),
    row("nadam.defaults", lambda o: o.Nadam(), lambda p: O.NAdam(p, lr=1e-3),
        "nadam.epsilon", "nadam.momentum_decay"),
    row("adam.for_lion", lambda o: o.Lion(1e-3), lambda p: O.Adam(p, lr=1e-3), "optimizer.kind"),
    row("momentum.missing", lambda o: o.SGD(0.1, momentum=0.9), lambda p: O.SGD(p, lr=0.1),
        "sgd.momentum", rung="steps"),
    row("weight_decay.value", lambda o: o.SGD(0.1, momentum=0.9, weight_decay=0.01),
        lambda p: O.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.02), "optimizer.weight_decay"),
    row("optimizer.rate_of_a_group", lambda o: o.SGD(0.01),
        lambda p: O.SGD([{"params": p[:2]}, {"params": p[2:], "lr": 0.1}], lr=0.01),
        "optimizer.learning_rate"),
    fault("constraint.left_out", X,
        lambda L: [L.Dense(4, activation="tanh", name="a", kernel_constraint="unit_norm"),
                   L.Dense(3, name="b")],
        lambda: nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)), "a", (), "step",
        loss=crossentropy, optimizer=lambda keras: "sgd", unnamed="constraints have no formula"),
]  # fmt: skip
