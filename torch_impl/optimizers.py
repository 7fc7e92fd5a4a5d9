"""Optimizers by name with Keras's formulas, and their slots by canonical name.

The formulas stand in ``parity/optimizers.py``; ``torch.optim.SGD`` follows Keras as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

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


def optimizer_for(spec: OptimizerSpec, params: Iterable[Tensor]) -> Optimizer:
    """The optimizer with the spec's values."""
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
