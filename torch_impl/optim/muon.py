"""Muon: orthogonal updates of matrices, and Adam for all other weights."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from parity.reference.optimizers.tensorwise import NEWTON_SCHULZ, NORM_EPSILON
from torch_impl.optim.adam import Adam
from torch_impl.optim.base import Group


class Muon(Adam):
    """m ← μ·m + g; w ← w − α·NS(g + μ·m)·√(largest side)·rms_rate for a matrix w.

    NS is a Newton-Schulz iteration that makes its argument about orthogonal. Weights that are no
    matrices, and those chosen by name, are updated by Adam. ``torch.optim.Muon`` accepts matrices
    only, computes NS in bfloat16, and by default scales by √max(1, rows / columns).
    Source: Jordan, 2024; Liu et al., 2025; ``keras/src/optimizers/muon.py``.

    Args:
        params: see :class:`KerasOptimizer`, as for all arguments not named here; pass
            ``model.named_parameters()`` for the choice by name.
        lr: learning rate α.
        betas, eps: of :class:`Adam`.
        weight_decay: of the matrices.
        adam_weight_decay: of the other weights.
        momentum: μ.
        nesterov: False for NS(m).
        ns_steps: number of iterations.
        rms_rate: see above; None for no scaling.
        adam_lr_ratio: Adam's rate relative to α.
        exclude_layers: regular expressions; weights whose name contains one are updated by Adam.
        exclude_embeddings: the same for ``embedding``, in upper or lower case.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        *,
        weight_decay: float = 0.004,
        adam_weight_decay: float = 0.004,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        rms_rate: float | None = 0.2,
        adam_lr_ratio: float = 1.0,
        exclude_layers: Sequence[str] = (),
        exclude_embeddings: bool = True,
        **common: Any,
    ) -> None:
        self.exclude_layers, self.exclude_embeddings = exclude_layers, exclude_embeddings
        options: dict[str, Any] = {"momentum": momentum, "nesterov": nesterov, "ns_steps": ns_steps}
        options |= {"rms_rate": rms_rate, "adam_lr_ratio": adam_lr_ratio}
        options |= {"weight_decay": weight_decay, "adam_weight_decay": adam_weight_decay}
        super().__init__(params, lr, betas, eps, **options, **common)
        if exclude_layers and any("param_names" not in group for group in self.param_groups):
            raise ValueError(
                f"exclude_layers: received {list(exclude_layers)} without names, accepted: with "
                "params=model.named_parameters()"
            )

    def uses_adam(self, group: Group, param: Tensor) -> bool:
        """Whether a weight is updated by Adam."""
        if param.ndim != 2:
            return True
        name = self.name_of(group, param)
        embedding = self.exclude_embeddings and "embedding" in name.lower()
        return embedding or any(re.search(one, name) for one in self.exclude_layers)

    def first(self, group: Group, slot: str, param: Tensor) -> Tensor:
        """Zeros; a scalar for a matrix's second moment, which is not used."""
        unused = slot == "v" and not self.uses_adam(group, param)
        return param.new_zeros(()) if unused else super().first(group, slot, param)

    def decay(self, group: Group, params: list[Tensor], option: str = "weight_decay") -> None:
        """See :meth:`KerasOptimizer.decay`; with Adam's own share for its weights."""
        matrices, others = self._split(group, params)
        super().decay(group, matrices, option)
        super().decay(group, others, "adam_weight_decay")

    def update(
        self, group: Group, params: list[Tensor], gradients: list[Tensor], step: int
    ) -> None:
        """See :meth:`KerasOptimizer.update`."""
        by_param = dict(zip(params, gradients, strict=True))
        matrices, others = self._split(group, params)
        if others:
            own = {**group, "lr": group["lr"] * group["adam_lr_ratio"]}
            super().update(own, others, [by_param[param] for param in others], step)
        for param in matrices:
            gradient, moment = by_param[param], self.state[param]["m"]
            moment.mul_(group["momentum"]).add_(gradient)
            ahead = gradient + group["momentum"] * moment if group["nesterov"] else moment
            update = orthogonal(ahead, group["ns_steps"])
            scale = 1.0
            if group["rms_rate"] is not None:
                scale = math.sqrt(max(param.shape)) * group["rms_rate"]
            param.sub_(update, alpha=group["lr"] * scale)

    def _split(self, group: Group, params: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """The matrices, and the weights that Adam updates."""
        found: tuple[list[Tensor], list[Tensor]] = ([], [])
        for param in params:
            found[self.uses_adam(group, param)].append(param)
        return found


def orthogonal(x: Tensor, steps: int) -> Tensor:
    """About U·Vᵀ of a matrix x = U·S·Vᵀ, by Newton-Schulz iterations."""
    a, b, c = NEWTON_SCHULZ
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.square().sum().sqrt() + NORM_EPSILON)
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
