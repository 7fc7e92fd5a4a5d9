"""Optimizers by name with Keras's formulas, and their slots by canonical name.

The formulas stand in ``parity/optimizers.py``; ``torch.optim.SGD`` follows Keras as it is. Clipping
and weight decay come before any optimizer's step, so they are hooks in front of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

from parity.optimizers import SLOTS, OptimizerSpec


class KerasSGD(Optimizer):
    """Momentum and Nesterov as Keras has them: the velocity carries the learning rate.

    v ← μ·v − α·g; then w ← w + v, or for Nesterov w ← w + μ·v − α·g.
    ``torch.optim.SGD`` scales by the rate outside the buffer, so a change of rate acts differently.
    Source: ``keras/src/optimizers/sgd.py``.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, momentum: float, nesterov: bool = False
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "nesterov": nesterov})

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Move every parameter that has a gradient; returns the closure's loss, if one is given."""
        loss = _reevaluated(closure)
        for group in self.param_groups:
            params, gradients = _with_gradients(group["params"])
            velocities = _state(self, params, "velocity")
            moves = torch._foreach_mul(gradients, -group["lr"])
            torch._foreach_mul_(velocities, group["momentum"])
            torch._foreach_add_(velocities, moves)
            if group["nesterov"]:
                torch._foreach_add_(moves, torch._foreach_mul(velocities, group["momentum"]))
                torch._foreach_add_(params, moves)
            else:
                torch._foreach_add_(params, velocities)
        return loss


class KerasAdam(Optimizer):
    """Adam as Keras has it: ε is added to the uncorrected root, the rate carries the correction.

    m ← m + (g − m)(1 − β₁); v ← v + (g² − v)(1 − β₂);
    w ← w − m·α·√(1 − β₂ᵗ)/(1 − β₁ᵗ) / (√v + ε).
    Source: Kingma and Ba, 2014, the form before section 2.1; ``keras/src/optimizers/adam.py``.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, betas: tuple[float, float], eps: float
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Move every parameter that has a gradient; returns the closure's loss, if one is given."""
        loss = _reevaluated(closure)
        for group in self.param_groups:
            params, gradients = _with_gradients(group["params"])
            if not params:
                continue
            first, second = _state(self, params, "m"), _state(self, params, "v")
            for param in params:
                self.state[param]["step"] = self.state[param].get("step", 0) + 1
            step = self.state[params[0]]["step"]
            beta_1, beta_2 = group["betas"]
            rate = group["lr"] * math.sqrt(1.0 - beta_2**step) / (1.0 - beta_1**step)
            torch._foreach_lerp_(first, gradients, 1.0 - beta_1)
            torch._foreach_mul_(second, beta_2)
            torch._foreach_addcmul_(second, gradients, gradients, 1.0 - beta_2)
            roots = torch._foreach_sqrt(second)
            torch._foreach_add_(roots, group["eps"])
            torch._foreach_addcdiv_(params, first, roots, -rate)
        return loss


class BeforeStep:
    """What Keras does before every optimizer's step: clip the gradients, then decay the weights.

    The formulas, with their constants, are those in ``parity/optimizers.py``. Where ``tensors``
    says that several of PyTorch's make one of Keras's (a GRU's two biases), they are clipped as
    one.
    Source: ``keras/src/optimizers/base_optimizer.py``.
    """

    def __init__(self, spec: OptimizerSpec, tensors: Sequence[tuple[Tensor, ...]]) -> None:
        values = spec.constants()
        self.decay, self.largest = values["weight_decay"], values["clipnorm"]
        self.largest_of_all = values["global_clipnorm"]
        self.tensors = tensors

    @torch.no_grad()
    def __call__(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        """Change gradients and weights in place."""
        for parts in self.tensors if self.largest else ():
            _, gradients = _with_gradients(list(parts))
            norm = _norm(gradients).clamp_min(self.largest) if gradients else None
            for gradient in gradients:
                gradient.mul_(self.largest).div_(norm)
        for group in optimizer.param_groups:
            params, gradients = _with_gradients(group["params"])
            if self.largest_of_all and gradients:
                norm = _norm(gradients).clamp_min(self.largest_of_all)
                torch._foreach_mul_(gradients, self.largest_of_all / norm)
            if self.decay and params:
                lost = torch._foreach_mul(params, self.decay)
                torch._foreach_add_(params, lost, alpha=-group["lr"])


def _norm(gradients: list[Tensor]) -> Tensor:
    """√Σg² over all entries of all of them."""
    return torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()


def _reevaluated(closure: Callable[[], Tensor] | None) -> Tensor | None:
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()


def _with_gradients(params: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    moved = [param for param in params if param.grad is not None]
    return moved, [param.grad for param in moved if param.grad is not None]


def _state(optimizer: Optimizer, params: list[Tensor], slot: str) -> list[Tensor]:
    for param in params:
        if slot not in optimizer.state[param]:
            optimizer.state[param][slot] = torch.zeros_like(param)
    return [optimizer.state[param][slot] for param in params]


def optimizer_for(
    spec: OptimizerSpec,
    params: Iterable[Tensor],
    tensors: Sequence[tuple[Tensor, ...]] | None = None,
) -> Optimizer:
    """The optimizer with the spec's values.

    Args:
        spec: the optimizer.
        params: what it trains.
        tensors: the same by canonical tensor, for ``clipnorm``; if None, each is one.
    """
    params = list(params)
    optimizer = _step_of(spec, params)
    if spec.weight_decay or spec.clipnorm or spec.global_clipnorm:
        parts = [(param,) for param in params] if tensors is None else tensors
        optimizer.register_step_pre_hook(BeforeStep(spec, parts))
    return optimizer


def _step_of(spec: OptimizerSpec, params: list[Tensor]) -> Optimizer:
    values = spec.constants()
    if spec.name == "adam":
        betas = (values["beta_1"], values["beta_2"])
        return KerasAdam(params, lr=values["learning_rate"], betas=betas, eps=values["epsilon"])
    if spec.name == "sgd":
        return SGD(params, lr=values["learning_rate"], momentum=0.0, foreach=True)
    return KerasSGD(
        params,
        lr=values["learning_rate"],
        momentum=values["momentum"],
        nesterov=spec.name == "nesterov",
    )


def slots(optimizer: Optimizer, spec: OptimizerSpec) -> dict[str, list[Tensor]]:
    """Slot tensors by canonical slot name, each list in the order of the trained parameters."""
    params = optimizer.param_groups[0]["params"]
    return {slot: _state(optimizer, params, slot) for slot in SLOTS[spec.name]}
