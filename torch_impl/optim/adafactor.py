"""Adafactor: Adam's second moment as a product of rows and columns, which needs little memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from parity.constants import as_float32
from torch_impl.optim.base import Group, KerasOptimizer


class Adafactor(KerasOptimizer):
    """w ← w − max(ε₂, rms w)·min(α, 1/√t) · u / max(1, rms u / d), u = g/√v.

    v is r·c / mean of r, where r and c are moving averages of g² + ε₁ over the last axis and the
    one before it; for vectors it is an average of g² + ε₁. The share kept is 1 − t^decay.
    ``torch.optim.Adafactor`` puts ε₁ elsewhere. Keras's ``relative_step`` has no effect, there or
    here.
    Source: Shazeer and Stern, 2018; ``keras/src/optimizers/adafactor.py``.

    Args:
        params: see :class:`KerasOptimizer`, as for all arguments not named here.
        lr: largest rate α.
        beta_2_decay: decay, 0 or less.
        eps: (ε₁, ε₂).
        clip_threshold: d, above 0.
        layouts: PyTorch's dimension for each of Keras's axes, see
            :func:`torch_impl.nn.constraints.layout_of`, of weights with more than two axes. Without
            it, the last two axes of a convolution's weight are not those of Keras's kernel.
    """

    slots = ("r", "c", "v")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        beta_2_decay: float = -0.8,
        eps: tuple[float, float] = (1e-30, 1e-3),
        clip_threshold: float = 1.0,
        layouts: Mapping[Tensor, Sequence[int]] | None = None,
        **common: Any,
    ) -> None:
        if not beta_2_decay <= 0:
            raise ValueError(f"beta_2_decay: received {beta_2_decay}, accepted: 0 or less")
        if not clip_threshold > 0:
            raise ValueError(f"clip_threshold: received {clip_threshold}, accepted: above 0")
        options: dict[str, Any] = {
            "beta_2_decay": beta_2_decay,
            "eps": eps,
            "clip_threshold": clip_threshold,
        }
        super().__init__(params, lr, **options, **common)
        self.layouts = layouts or {}

    def first(self, group: Group, slot: str, param: Tensor) -> Tensor:
        """Zeros of the factor's shape, in Keras's layout; a scalar for a factor without use."""
        shape = self._in_keras(param, param).shape
        if len(shape) < 2:
            return torch.zeros_like(param) if slot == "v" else param.new_zeros(())
        shapes = {"r": shape[:-1], "c": (*shape[:-2], shape[-1]), "v": ()}
        return param.new_zeros(shapes[slot])

    def update(
        self, group: Group, params: list[Tensor], gradients: list[Tensor], step: int
    ) -> None:
        """See :meth:`KerasOptimizer.update`."""
        mixed = step ** group["beta_2_decay"]
        least, rate = as_float32(group["eps"][1]), min(group["lr"], 1.0 / math.sqrt(step))
        for param, gradient in zip(params, gradients, strict=True):
            weight, g = self._in_keras(param, param), self._in_keras(param, gradient)
            update = g / self._second_moment(param, g.square() + group["eps"][0], mixed).sqrt()
            update /= (_rms(update) / group["clip_threshold"]).clamp_min(1.0)
            weight -= _rms(weight).clamp_min(least) * rate * update

    def _second_moment(self, param: Tensor, square: Tensor, mixed: float) -> Tensor:
        state = self.state[param]
        if square.ndim < 2:
            found: Tensor = state["v"].lerp_(square, mixed)
            return found
        rows, columns = state["r"], state["c"]
        rows.lerp_(square.mean(-1), mixed)
        columns.lerp_(square.mean(-2), mixed)
        shares = rows / rows.mean(-1, keepdim=True)
        return shares.unsqueeze(-1) * columns.unsqueeze(-2)

    def _in_keras(self, param: Tensor, values: Tensor) -> Tensor:
        """A view of a weight's values in Keras's layout."""
        return values.permute(*self.layouts[param]) if param in self.layouts else values


def _rms(values: Tensor) -> Tensor:
    return values.square().mean().sqrt()
