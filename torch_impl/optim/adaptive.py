"""Optimizers that divide by the root of past squared gradients: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from parity.constants import as_float32
from torch_impl.optim.base import Group, KerasOptimizer


class Adagrad(KerasOptimizer):
    """a ← a + g²; w ← w − α·g/√(a + ε); a starts at 0.1.

    ``torch.optim.Adagrad`` starts at 0 and adds ε to the root.
    Source: Duchi et al., 2011; ``keras/src/optimizers/adagrad.py``.

    Args:
        params: see :class:`KerasOptimizer`, as for all arguments not named here.
        lr: learning rate α.
        initial_accumulator_value: a before the first step, 0 or more.
        eps: ε.
    """

    slots = ("accumulator",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        initial_accumulator_value: float = 0.1,
        eps: float = 1e-7,
        **common: Any,
    ) -> None:
        _check_ranges(initial_accumulator_value=initial_accumulator_value, eps=eps)
        super().__init__(
            params, lr, initial_accumulator_value=initial_accumulator_value, eps=eps, **common
        )

    def first(self, group: Group, slot: str, param: Tensor) -> Tensor:
        """See :meth:`KerasOptimizer.first`. Keras 3 rounds the value to float32."""
        value = group["initial_accumulator_value"]
        return torch.full_like(param, as_float32(value) if self.flavour == "keras3" else value)

    def update(
        self, group: Group, params: list[Tensor], gradients: list[Tensor], step: int
    ) -> None:
        """See :meth:`KerasOptimizer.update`."""
        sums = self.of(params, "accumulator")
        torch._foreach_addcmul_(sums, gradients, gradients)
        roots = torch._foreach_add(sums, group["eps"])
        torch._foreach_sqrt_(roots)
        torch._foreach_addcdiv_(params, gradients, roots, -group["lr"])


class Adadelta(KerasOptimizer):
    """a ← ρ·a + (1 − ρ)g²; d = √(b + ε)·g/√(a + ε); b ← ρ·b + (1 − ρ)d²; w ← w − α·d.

    Defaults of ``torch.optim.Adadelta``: ρ = 0.9, ε = 1e-6. Keras's α is 0.001, the paper's is 1.
    Source: Zeiler, 2012; ``keras/src/optimizers/adadelta.py``.

    Args:
        params: see :class:`KerasOptimizer`, as for all arguments not named here.
        lr: learning rate α.
        rho: ρ, from 0 to 1.
        eps: ε.
    """

    slots = ("accumulated_grad", "accumulated_delta_var")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        rho: float = 0.95,
        eps: float = 1e-7,
        **common: Any,
    ) -> None:
        _check_ranges(rho=rho, eps=eps)
        super().__init__(params, lr, rho=rho, eps=eps, **common)

    def update(
        self, group: Group, params: list[Tensor], gradients: list[Tensor], step: int
    ) -> None:
        """See :meth:`KerasOptimizer.update`."""
        rho, eps = group["rho"], group["eps"]
        squares, updates = self.of(params, "accumulated_grad"), self.of(params, self.slots[1])
        torch._foreach_mul_(squares, rho)
        torch._foreach_addcmul_(squares, gradients, gradients, 1.0 - rho)
        deltas = torch._foreach_add(updates, eps)
        torch._foreach_sqrt_(deltas)
        torch._foreach_mul_(deltas, gradients)
        roots = torch._foreach_add(squares, eps)
        torch._foreach_sqrt_(roots)
        torch._foreach_div_(deltas, roots)
        torch._foreach_mul_(updates, rho)
        torch._foreach_addcmul_(updates, deltas, deltas, 1.0 - rho)
        torch._foreach_add_(params, deltas, alpha=-group["lr"])


class RMSprop(KerasOptimizer):
    """s ← ρ·s + (1 − ρ)g²; d = α·g/√(s + ε); w ← w − d.

    Centered: c ← ρ·c + (1 − ρ)g, and s − c² for s within the root. With momentum: v ← μ·v + d and
    w ← w − v. ``torch.optim.RMSprop`` adds ε to the root, applies the rate to the buffer
    instead of to d, and has the defaults ρ = 0.99 and ε = 1e-8.
    Source: Hinton, 2012, lecture 6e; ``keras/src/optimizers/rmsprop.py``.

    Args:
        params: see :class:`KerasOptimizer`, as for all arguments not named here. (In Keras 2,
            ``ema_overwrite_frequency`` defaults to 100 for this optimizer.)
        lr: learning rate α.
        rho: ρ, from 0 to 1.
        momentum: μ, from 0 to 1; 0 for none.
        eps: ε.
        centered: divide by the root of the variance instead of the mean square.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        rho: float = 0.9,
        momentum: float = 0.0,
        eps: float = 1e-7,
        centered: bool = False,
        **common: Any,
    ) -> None:
        _check_ranges(rho=rho, momentum=momentum, eps=eps)
        super().__init__(
            params, lr, rho=rho, momentum=momentum, eps=eps, centered=centered, **common
        )

    def slots_of(self, group: Group) -> tuple[str, ...]:
        """See :meth:`KerasOptimizer.slots_of`."""
        optional = {"momentum": group["momentum"], "average_gradient": group["centered"]}
        return ("velocity", *(slot for slot, wanted in optional.items() if wanted))

    def update(
        self, group: Group, params: list[Tensor], gradients: list[Tensor], step: int
    ) -> None:
        """See :meth:`KerasOptimizer.update`."""
        rho, squares = group["rho"], self.of(params, "velocity")
        torch._foreach_mul_(squares, rho)
        torch._foreach_addcmul_(squares, gradients, gradients, 1.0 - rho)
        inside = squares
        if group["centered"]:
            means = self.of(params, "average_gradient")
            torch._foreach_mul_(means, rho)
            torch._foreach_add_(means, torch._foreach_mul(gradients, 1.0 - rho))
            inside = torch._foreach_sub(squares, torch._foreach_mul(means, means))
        roots = torch._foreach_add(inside, group["eps"])
        torch._foreach_sqrt_(roots)
        if group["momentum"]:
            velocities = self.of(params, "momentum")
            torch._foreach_mul_(velocities, group["momentum"])
            torch._foreach_addcdiv_(velocities, gradients, roots, group["lr"])
            torch._foreach_sub_(params, velocities)
        else:
            torch._foreach_addcdiv_(params, gradients, roots, -group["lr"])


def _check_ranges(**values: float) -> None:
    for name, value in values.items():
        highest = "" if name in ("eps", "initial_accumulator_value") else " to 1"
        if not value >= 0 or (highest and value > 1):
            raise ValueError(f"{name}: received {value}, accepted: 0{highest or ' or more'}")
