"""The loss of a user's PyTorch model. Twin: ``keras_impl/capture/losses.py``."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from parity.errors import ParityError, format_shapes
from parity.reference.formula import Settings
from torch_impl import nn as keras_nn
from torch_impl.capture.errors import describe_error
from torch_impl.capture.read.layout import Layout


class Loss:
    """Of a model's outputs, as they lie, and targets, as Keras takes them.

    Args:
        loss: settings of a Keras loss, whose formula it then is, a module, or a callable of
            (outputs, targets).
        dtype: of the model.
        flavour: the Keras that is meant.

    Raises:
        ParityError: it is none of these.
    """

    def __init__(self, loss: Any, dtype: torch.dtype, flavour: str) -> None:
        self.faithful = isinstance(loss, Settings)
        if isinstance(loss, Settings):
            loss = getattr(keras_nn, loss.kind)(**loss.values, flavour=flavour)
        elif isinstance(loss, nn.Module):
            loss = copy.deepcopy(loss).to(dtype)
        elif not callable(loss):
            raise ParityError(
                f"loss: received {type(loss).__name__} for PyTorch, accepted: a callable of "
                "(outputs, targets)"
            )
        self.function: Callable[..., Any] = loss

    def of(
        self, outputs: Sequence[Tensor], layouts: Sequence[Layout], targets: Sequence[Tensor]
    ) -> Tensor:
        """The number, without axes; that of several outputs is their sum, or as the user has it.

        Raises:
            ParityError: it cannot be had.
        """
        try:
            if self.faithful:
                both = zip(outputs, layouts, targets, strict=True)
                parts = [self.function(layout.to_canonical(one), own) for one, layout, own in both]
                loss: Any = torch.stack(parts).sum()
            else:
                loss = self._users(outputs, layouts, targets)
        except Exception as error:
            raise ParityError(
                f"loss: PyTorch's cannot be called with outputs of shape {format_shapes(outputs)} "
                f"and targets of shape {format_shapes(targets)}: {describe_error(error)}"
            ) from error
        if not isinstance(loss, Tensor):
            raise ParityError(f"loss: PyTorch's gave {type(loss).__name__}, accepted: a tensor")
        return loss.mean() if loss.ndim else loss

    def _users(
        self, outputs: Sequence[Tensor], layouts: Sequence[Layout], targets: Sequence[Tensor]
    ) -> Any:
        """Targets with the shape of an output get its layout, unless the loss permutes them."""
        arranged = list(targets)
        if len(outputs) == len(targets):
            arranged = [
                layout.from_canonical(own).contiguous()
                if own.shape == layout.to_canonical(one).shape
                else own
                for one, layout, own in zip(outputs, layouts, targets, strict=True)
            ]
        if any(own is not other for own, other in zip(arranged, targets, strict=True)):
            with warnings.catch_warnings(), contextlib.suppress(Exception):
                warnings.filterwarnings("error", "Using a target size")  # it broadcasts them
                return self.function(_one(outputs), _one(arranged))
        return self.function(_one(outputs), _one(targets))


def _one(tensors: Sequence[Tensor]) -> Any:
    return tensors[0] if len(tensors) == 1 else list(tensors)
