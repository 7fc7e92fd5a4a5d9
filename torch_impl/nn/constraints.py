"""Keras's weight constraints, applied after every optimizer step.

::

    constrain(optimizer, model, {"0.weight": MaxNorm(2.0), "0.bias": NonNeg()})
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from parity.constants import FLAVOURS

EPSILON = 1e-7
"""Keras's ``epsilon()``; it avoids a division by a norm of zero."""


class Constraint(ABC):
    """Maps a weight to one that satisfies the constraint."""

    @abstractmethod
    def __call__(self, weight: Tensor, layout: Sequence[int] | None = None) -> Tensor:
        """The constrained weight, as a new tensor.

        Args:
            weight: of any shape.
            layout: PyTorch's dimension for each of Keras's axes, see :func:`layout_of`; None for
                the same order.
        """


class _OfNorms(Constraint):
    """A constraint on the Euclidean norm along axes.

    ``axis`` refers to Keras's kernel. For a dense kernel (in, out), axis 0 gives the norm of the
    weights into each unit, which is dim 1 of PyTorch's (out, in). The same for a convolution is
    (0, 1, 2) of (height, width, in, out); Keras's default 0 uses the height alone.
    """

    def __init__(self, axis: int | Sequence[int] = 0) -> None:
        self.axis = (axis,) if isinstance(axis, int) else tuple(axis)

    def norms(self, weight: Tensor, layout: Sequence[int] | None) -> Tensor:
        """Norms along the axes, which keep length one."""
        if any(not -weight.ndim <= axis < weight.ndim for axis in self.axis):
            raise ValueError(
                f"axis: received {self.axis} for a weight of shape {tuple(weight.shape)}, "
                f"accepted: {-weight.ndim} to {weight.ndim - 1}"
            )
        order = layout or range(weight.ndim)
        dims = tuple(order[axis] for axis in self.axis)
        return weight.square().sum(dims, keepdim=True).sqrt()


class MaxNorm(_OfNorms):
    """w·min(‖w‖, m) / (1e-7 + ‖w‖).

    Every step also shrinks a weight within the norm, by a factor of 1 − 1e-7/‖w‖. PyTorch's
    ``renorm_`` does not change it.
    Source: ``tf_keras/src/constraints.py``, as for all here; ``keras/src/constraints/``.

    Args:
        max_value: m, 0 or more.
        axis: an axis of Keras's kernel, see :func:`layout_of`.

    Raises:
        ValueError: m is negative.
    """

    def __init__(self, max_value: float = 2.0, axis: int | Sequence[int] = 0) -> None:
        if not max_value >= 0:
            raise ValueError(f"max_value: received {max_value}, accepted: 0 or more")
        super().__init__(axis)
        self.max_value = max_value

    def __call__(self, weight: Tensor, layout: Sequence[int] | None = None) -> Tensor:
        """See :meth:`Constraint.__call__`."""
        norms = self.norms(weight, layout)
        return weight * (norms.clamp(0.0, self.max_value) / (EPSILON + norms))


class UnitNorm(_OfNorms):
    """w / (1e-7 + ‖w‖). See :class:`MaxNorm`."""

    def __call__(self, weight: Tensor, layout: Sequence[int] | None = None) -> Tensor:
        """See :meth:`Constraint.__call__`."""
        return weight / (EPSILON + self.norms(weight, layout))


class MinMaxNorm(_OfNorms):
    """w·(r·clip(‖w‖, a, b) + (1 − r)‖w‖) / (1e-7 + ‖w‖). See :class:`MaxNorm`.

    Args:
        min_value: a, 0 or more.
        max_value: b, a or more.
        rate: r, from 0 to 1: the share of the correction that a step applies.
        axis: an axis of Keras's kernel, see :func:`layout_of`.

    Raises:
        ValueError: a value is out of range.
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: int | Sequence[int] = 0,
    ) -> None:
        if not 0 <= min_value <= max_value:
            raise ValueError(
                f"min_value and max_value: received {min_value} and {max_value}, accepted: 0 or "
                "more, ascending"
            )
        if not 0 <= rate <= 1:
            raise ValueError(f"rate: received {rate}, accepted: 0 to 1")
        super().__init__(axis)
        self.min_value, self.max_value, self.rate = min_value, max_value, rate

    def __call__(self, weight: Tensor, layout: Sequence[int] | None = None) -> Tensor:
        """See :meth:`Constraint.__call__`."""
        norms = self.norms(weight, layout)
        inside = norms.clamp(self.min_value, self.max_value)
        desired = self.rate * inside + (1 - self.rate) * norms
        return weight * (desired / (EPSILON + norms))


class NonNeg(Constraint):
    """max(w, 0). Keras 2 multiplies by 0 or 1 instead, which turns −∞ into NaN.

    Args:
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Raises:
        ValueError: unknown flavour.
    """

    def __init__(self, flavour: str = "tf_keras") -> None:
        if flavour not in FLAVOURS:
            raise ValueError(f"flavour: received {flavour!r}, accepted: {', '.join(FLAVOURS)}")
        self.flavour = flavour

    def __call__(self, weight: Tensor, layout: Sequence[int] | None = None) -> Tensor:
        """See :meth:`Constraint.__call__`."""
        return weight * (weight >= 0) if self.flavour == "tf_keras" else weight.clamp(min=0.0)


def layout_of(module: nn.Module, name: str) -> tuple[int, ...]:
    """PyTorch's dimension for each axis of the corresponding Keras weight.

    Linear (out, in) for (in, out): (1, 0), also for parameters named like a recurrent layer's
    weights. Conv2d (out, in, h, w) for (h, w, in, out): (2, 3, 1, 0); likewise in one and three
    dimensions, and for transposed convolutions. Embeddings and vectors: unchanged. A grouped
    convolution corresponds to Keras's grouped convolution, not to its DepthwiseConv2D, whose kernel
    is (h, w, in, multiplier).

    Raises:
        ValueError: the layout of this parameter is not known.
    """
    weight = getattr(module, name)
    if weight.ndim == 1 or isinstance(module, nn.Embedding):
        return tuple(range(weight.ndim))
    if isinstance(module, nn.Linear) or name.startswith(("weight_ih", "weight_hh")):
        return (1, 0)
    if isinstance(module, nn.modules.conv._ConvNd):
        return (*range(2, weight.ndim), 1, 0)
    raise ValueError(
        f"{name}: received {type(module).__name__}, accepted: parameters of Linear, convolutions, "
        "recurrent layers and Embedding, or vectors"
    )


def constrain(optimizer: Optimizer, model: nn.Module, constraints: Mapping[str, Constraint]) -> Any:
    """Apply constraints after each step of the optimizer, but not before the first one.

    As in Keras, a weight without a gradient in a step is not constrained in this step.

    Args:
        optimizer: any of PyTorch's.
        model: the model that has the parameters.
        constraints: name of a parameter, as in ``named_parameters``, to its constraint.

    Returns:
        A handle; its ``remove()`` removes the constraints.

    Raises:
        ValueError: the model has no such parameter, or the layout of the parameter is not known.
    """
    known = dict(model.named_parameters())
    rules: list[tuple[nn.Parameter, Constraint, tuple[int, ...]]] = []
    for name, constraint in constraints.items():
        if name not in known:
            raise ValueError(f"constraints: received {name!r}, accepted: {', '.join(known)}")
        owner, _, own_name = name.rpartition(".")
        layout = layout_of(model.get_submodule(owner), own_name)
        rules.append((known[name], constraint, layout))

    @torch.no_grad()
    def enforce(*_: Any) -> None:
        for weight, constraint, layout in rules:
            if weight.grad is not None:
                weight.copy_(constraint(weight, layout))

    return optimizer.register_step_post_hook(enforce)
