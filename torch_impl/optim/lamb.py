"""Lamb: Adam's update, as long as the weight times the rate."""

from __future__ import annotations

import torch
from torch import Tensor

from parity.constants import as_float32
from torch_impl.optim.adam import Moments
from torch_impl.optim.base import Group, norm


class Lamb(Moments):
    """u = m/(1 − β₁ᵗ) / (√(s/(1 − β₂ᵗ)) + ε); w ← w − α·‖w‖/‖u‖·u for each tensor.

    Where w or u is zero, the ratio is 1. In the corrections Keras rounds the betas to float32.
    Neither PyTorch nor Keras 2 has such an optimizer.
    Source: You et al., 2019; ``keras/src/optimizers/lamb.py``.

    Args: as :class:`Adam`, without AMSGrad; ``joint`` also joins tensors in the two norms.
    """

    def update(
        self, group: Group, params: list[Tensor], gradients: list[Tensor], step: int
    ) -> None:
        """See :meth:`KerasOptimizer.update`."""
        beta_1, beta_2 = map(as_float32, group["betas"])
        first, second = self._update_moments(group["betas"], params, gradients)
        roots = torch._foreach_div(second, 1.0 - beta_2**step)
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, group["eps"])
        updates = torch._foreach_div(first, 1.0 - beta_1**step)
        torch._foreach_div_(updates, roots)
        by_param = dict(zip(params, updates, strict=True))
        weights = {param: param for param in params}
        ratios = []
        for param in params:
            of_weight, of_update = (norm(self.parts(param, one)) for one in (weights, by_param))
            both = (of_weight > 0) & (of_update > 0)
            ratios.append(torch.where(both, of_weight / of_update, 1.0))
        torch._foreach_mul_(updates, ratios)
        torch._foreach_add_(params, updates, alpha=-group["lr"])
