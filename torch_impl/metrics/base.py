"""Base class of the metrics: a state that is summed over batches, and Keras's division."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from parity.constants import FLAVOURS


class Metric(ABC):
    """A metric of all batches since the last :meth:`reset`.

    As in Keras, the state is summed in ``dtype``: in float32 a count stops at 2²⁴ = 16,777,216;
    use float64 to avoid that.

    Args:
        dtype: dtype of state and result; None for PyTorch's default (Keras uses ``floatx``).
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Raises:
        ValueError: unknown flavour.
    """

    def __init__(self, *, dtype: torch.dtype | None = None, flavour: str = "tf_keras") -> None:
        if flavour not in FLAVOURS:
            raise ValueError(f"flavour: received {flavour!r}, accepted: {', '.join(FLAVOURS)}")
        self.dtype = dtype or torch.get_default_dtype()
        self.flavour = flavour
        self.state: dict[str, Tensor] = {}

    @abstractmethod
    def update(
        self, outputs: Tensor, target: Tensor, sample_weight: Tensor | float | None = None
    ) -> None:
        """Add a batch.

        Args:
            outputs: the model's outputs.
            target: the labels.
            sample_weight: weight of each example, (N,), or as the class describes; None for 1.

        Raises:
            ValueError: shapes do not fit.
        """

    @abstractmethod
    def compute(self) -> Tensor:
        """The metric of all batches so far."""

    def reset(self) -> None:
        """Discard all batches."""
        self.state = {}

    def add(self, name: str, value: Tensor) -> None:
        """Add a value to a tensor of the state, which starts at zero."""
        value = value.to(self.dtype)
        self.state[name] = self.state[name] + value if name in self.state else value

    def so_far(self, name: str, like: tuple[int, ...] = ()) -> Tensor:
        """A tensor of the state; zeros of shape ``like`` before the first batch."""
        if name in self.state:
            return self.state[name]
        return torch.zeros(like, dtype=self.dtype)


def divided(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Numerator / denominator, 0 where the denominator is 0 (Keras's ``divide_no_nan``)."""
    quotient = numerator / denominator
    return torch.where(denominator == 0, torch.zeros_like(quotient), quotient)


def same_rank(outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Remove a last axis of length one that only one of the two has.

    Raises:
        ValueError: their shapes still differ. (Keras silently broadcasts some of these, for
            example (N, 1) and (1, N).)
    """
    if outputs.ndim == target.ndim + 1 and outputs.shape[-1] == 1:
        outputs = outputs.squeeze(-1)
    elif target.ndim == outputs.ndim + 1 and target.shape[-1] == 1:
        target = target.squeeze(-1)
    if outputs.shape != target.shape:
        raise ValueError(
            f"target: received shape {tuple(target.shape)}, accepted: that of the outputs, "
            f"{tuple(outputs.shape)}"
        )
    return outputs, target
