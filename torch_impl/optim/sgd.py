"""Gradient descent (plain, with momentum, with Nesterov's momentum), and Lion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from parity.constants import as_float32
from torch_impl.optim.base import Group, KerasOptimizer


class SGD(KerasOptimizer):
    """w ← w − α·g; with momentum v ← μ·v − α·g and w ← w + v; Nesterov: w ← w + μ·v − α·g.

    ``torch.optim.SGD`` applies the rate to the buffer instead of to the gradient, so a new rate
    affects the whole buffer at once; and it does not round μ to float32.
    Source: ``keras/src/optimizers/sgd.py``.

    Args:
        params: see :class:`KerasOptimizer`, as for all arguments not named here.
        lr: learning rate α. (Keras's default is 0.01.)
        momentum: μ, from 0 to 1; 0 for none.
        nesterov: use Nesterov's momentum.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **common: Any,
    ) -> None:
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum: received {momentum}, accepted: 0 to 1")
        super().__init__(params, lr, momentum=momentum, nesterov=nesterov, **common)

    def slots_of(self, group: Group) -> tuple[str, ...]:
        """See :meth:`KerasOptimizer.slots_of`."""
        return ("velocity",) if group["momentum"] else ()

    def update(
        self, group: Group, params: list[Tensor], gradients: list[Tensor], step: int
    ) -> None:
        """See :meth:`KerasOptimizer.update`."""
        if not group["momentum"]:
            torch._foreach_add_(params, gradients, alpha=-group["lr"])
            return
        momentum, velocities = as_float32(group["momentum"]), self.of(params, "velocity")
        updates = torch._foreach_mul(gradients, -group["lr"])
        torch._foreach_mul_(velocities, momentum)
        torch._foreach_add_(velocities, updates)
        if group["nesterov"]:
            torch._foreach_add_(updates, torch._foreach_mul(velocities, momentum))
            torch._foreach_add_(params, updates)
        else:
            torch._foreach_add_(params, velocities)


class Lion(KerasOptimizer):
    """w ← w − α·sign(β₁·m + (1 − β₁)g); then m ← β₂·m + (1 − β₂)g.

    PyTorch has no such optimizer. Source: Chen et al., 2023; ``keras/src/optimizers/lion.py``.

    Args:
        params: see :class:`KerasOptimizer`, as for all arguments not named here.
        lr: learning rate α, the size of every weight's update.
        betas: (β₁, β₂), each from 0 to 1.
    """

    slots = ("m",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.99),
        **common: Any,
    ) -> None:
        if not all(0 <= beta <= 1 for beta in betas):
            raise ValueError(f"betas: received {betas}, accepted: two numbers from 0 to 1")
        super().__init__(params, lr, betas=betas, **common)

    def update(
        self, group: Group, params: list[Tensor], gradients: list[Tensor], step: int
    ) -> None:
        """See :meth:`KerasOptimizer.update`."""
        beta_1, beta_2 = map(as_float32, group["betas"])
        momenta = self.of(params, "m")
        directions = torch._foreach_mul(momenta, beta_1)
        torch._foreach_add_(directions, torch._foreach_mul(gradients, 1.0 - beta_1))
        torch._foreach_sign_(directions)
        torch._foreach_add_(params, directions, alpha=-group["lr"])
        torch._foreach_mul_(momenta, beta_2)
        torch._foreach_add_(momenta, torch._foreach_mul(gradients, 1.0 - beta_2))
