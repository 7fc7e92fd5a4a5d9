"""Keras's losses, computed by ``torch_impl.nn``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from parity.reference.keras_config import LOSSES
from parity_tests.keras_own_tests.adapters.arguments import (
    dtype_of,
    missing,
    options_of,
    to_keras,
    to_torch,
)
from torch_impl import nn
from torch_impl.nn.reduction import same_rank


class Adapter:
    """A Keras loss object."""

    def __init__(self, loss: nn.KerasLoss, dtype: torch.dtype) -> None:
        self.loss, self.dtype = loss, dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss; Keras converts all arguments to the loss's dtype."""
        if sample_weight is not None:
            sample_weight = to_torch(sample_weight, self.dtype)
        outputs, target = (to_torch(one, self.dtype) for one in (y_pred, y_true))
        return to_keras(self.loss(outputs, target, sample_weight))


def _class(kind: str) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Adapter:
        options = options_of("losses", kind, args, kwargs)
        options.pop("name", None)
        dtype = dtype_of(options.pop("dtype", None))
        if "reduction" in options:
            options["reduction"] = options["reduction"] or "none"
        return Adapter(getattr(nn, kind)(**options, flavour="keras3"), dtype)

    return make


def _function(kind: str) -> Callable[..., Any]:
    def losses(y_true: Any, y_pred: Any, **options: Any) -> Any:
        loss = getattr(nn, kind)(**options, reduction="none", flavour="keras3")
        outputs = to_torch(y_pred)
        outputs = outputs if outputs.is_floating_point() else outputs.float()
        return to_keras(loss(outputs, to_torch(y_true)))

    return losses


def __getattr__(name: str) -> Any:
    if hasattr(nn, name):
        return _class(name)
    if name in LOSSES:
        return _function(LOSSES[name])
    return missing("losses.losses", name)


class _Own(nn.KerasLoss):
    """A loss whose formula a test defines."""

    def __init__(self, call: Callable[..., Any], reduction: str) -> None:
        super().__init__(reduction=reduction, flavour="keras3")
        self.call = call
        self.mask: Tensor | None = None

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """See :meth:`KerasLoss.losses`."""
        found: Tensor = self.call(target, outputs)
        return found

    def valid(self, target: Tensor) -> Tensor | None:
        """See :meth:`KerasLoss.valid`."""
        return self.mask


class Loss(Adapter):
    """Keras's base class: a test's subclass defines ``call`` with arithmetic alone."""

    def __init__(
        self, name: Any = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        self.own = _Own(self.call, reduction or "none")
        super().__init__(self.own, dtype_of(dtype))

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """See :class:`Adapter`; Keras's mask of the predictions becomes the losses that count."""
        from keras.src import backend

        mask = backend.get_keras_mask(y_pred)
        self.own.mask = None if mask is None else to_torch(mask)
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The formula."""
        raise NotImplementedError


def squeeze_or_expand_to_same_rank(x1: Any, x2: Any) -> tuple[Any, Any]:
    """Keras's rule for ranks that differ by one."""
    first, second = same_rank(to_torch(x1), to_torch(x2))
    return to_keras(first), to_keras(second)
