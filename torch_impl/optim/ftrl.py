"""The Ftrl optimizer (follow the regularised leader)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from parity.constants import as_float32
from torch_impl.optim.base import Group, KerasOptimizer


class Ftrl(KerasOptimizer):
    """h = g + 2·λₛ·w; n = a + g²; z ← z + h − (n⁻ᵖ − a⁻ᵖ)/α·w; a ← n.

    Then w ← (clip(z, ±λ₁) − z) / (n⁻ᵖ/α + 2(λ₂ + β/(2α))). PyTorch has no such optimizer.
    Source: McMahan et al., 2013; ``keras/src/optimizers/ftrl.py``.

    Args:
        params: see :class:`KerasOptimizer`, as for all arguments not named here.
        lr: learning rate α.
        lr_power: p, 0 or less; −½ divides by the root of the squares.
        initial_accumulator_value: a before the first step, 0 or more.
        l1: λ₁, 0 or more.
        l2: λ₂, 0 or more.
        l2_shrinkage: λₛ, 0 or more: an L2 penalty that is added to the gradient.
        beta: β, 0 or more.
    """

    slots = ("accumulator", "linear")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        lr_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1: float = 0.0,
        l2: float = 0.0,
        l2_shrinkage: float = 0.0,
        beta: float = 0.0,
        **common: Any,
    ) -> None:
        if not lr_power <= 0:
            raise ValueError(f"lr_power: received {lr_power}, accepted: 0 or less")
        own: dict[str, Any] = {
            "initial_accumulator_value": initial_accumulator_value,
            "l1": l1,
            "l2": l2,
        }
        own |= {"l2_shrinkage": l2_shrinkage, "beta": beta}
        for name, value in own.items():
            if not value >= 0:
                raise ValueError(f"{name}: received {value}, accepted: 0 or more")
        super().__init__(params, lr, lr_power=lr_power, **own, **common)

    def first(self, group: Group, slot: str, param: Tensor) -> Tensor:
        """See :meth:`KerasOptimizer.first`. Keras rounds the value to float32."""
        value = as_float32(group["initial_accumulator_value"]) if slot == "accumulator" else 0.0
        return torch.full_like(param, value)

    def update(
        self, group: Group, params: list[Tensor], gradients: list[Tensor], step: int
    ) -> None:
        """See :meth:`KerasOptimizer.update`."""
        rate, power, l1 = group["lr"], -group["lr_power"], group["l1"]
        l2 = group["l2"] + group["beta"] / (2.0 * rate)
        sums, leaders = self.of(params, "accumulator"), self.of(params, "linear")
        before = torch._foreach_pow(sums, power)
        torch._foreach_addcmul_(sums, gradients, gradients)
        after = torch._foreach_pow(sums, power)
        torch._foreach_add_(leaders, gradients)
        torch._foreach_add_(leaders, params, alpha=2.0 * group["l2_shrinkage"])
        grown = torch._foreach_sub(after, before)
        torch._foreach_div_(grown, rate)
        torch._foreach_addcmul_(leaders, grown, params, -1.0)
        torch._foreach_div_(after, rate)
        torch._foreach_add_(after, 2.0 * l2)
        clipped = torch._foreach_clamp_max(torch._foreach_clamp_min(leaders, -l1), l1)
        torch._foreach_sub_(clipped, leaders)
        torch._foreach_copy_(params, torch._foreach_div(clipped, after))
