"""The loss of a user's PyTorch model. Twin: ``keras_impl/capture/losses.py``."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from parity.adapters.calls import squeezed
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

    Attributes:
        in_float32: whether the last loss was computed in float32, as it cannot be in the dtype.
        shape: of the last loss; the user's may not be reduced to a number, which cannot be trained.

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
        self.dtype = dtype
        self.shape: tuple[int, ...] = ()
        self.in_float32 = False

    def of(
        self,
        outputs: Sequence[Tensor],
        layouts: Sequence[Layout],
        targets: Sequence[Tensor],
        shapes: Sequence[tuple[int, ...]],
        kept: Sequence[int],
        out: Any,
    ) -> Tensor:
        """The number, without axes; that of several outputs is their sum, or as the user has it.

        Args:
            outputs: of the model.
            layouts: of each.
            targets: as Keras takes them.
            shapes: of Keras's outputs.
            kept: places of those that Keras's model has as well.
            out: what the model returned, if the user's loss may take its parts by name.

        Raises:
            ParityError: it cannot be had.
        """
        self.in_float32 = False
        try:
            loss = self._loss(outputs, layouts, targets, shapes, kept, out)
        except Exception as error:
            loss = None
            with contextlib.suppress(Exception):
                single = [[_single(one) for one in several] for several in (outputs, targets)]
                found = self._loss(single[0], layouts, single[1], shapes, kept, None)
                loss = found.to(self.dtype)
                self.in_float32 = True
            if loss is None:
                raise ParityError(
                    "loss: PyTorch's cannot be called with outputs of shape "
                    f"{format_shapes(outputs)} and targets of shape {format_shapes(targets)}: "
                    f"{describe_error(error)}"
                ) from error
        if not isinstance(loss, Tensor):
            raise ParityError(f"loss: PyTorch's gave {type(loss).__name__}, accepted: a tensor")
        self.shape = tuple(loss.shape) if loss.numel() != 1 else ()
        return loss.mean() if loss.ndim else loss

    def _loss(
        self,
        outputs: Sequence[Tensor],
        layouts: Sequence[Layout],
        targets: Sequence[Tensor],
        shapes: Sequence[tuple[int, ...]],
        kept: Sequence[int],
        out: Any,
    ) -> Any:
        both = [(outputs[place], layouts[place]) for place in kept]
        if self.faithful:
            like = [layout.to_canonical(one) for one, layout in both]
            shaped = [_in_shape(one, shape) for one, shape in zip_longest(like, shapes)]
            parts = [self.function(one, own) for one, own in zip(shaped, targets, strict=True)]
            return torch.stack(parts).sum()
        arranged = list(targets)
        if len(both) == len(targets):
            arranged = [
                _arranged(own, pair[0], pair[1], shape)
                for pair, own, shape in zip_longest(both, targets, shapes)
            ]
        given = [_one(outputs)] if out is None or isinstance(out, Tensor) else [out, _one(outputs)]
        for one in given[:-1]:
            with contextlib.suppress(Exception):
                return self._users(one, arranged, targets)
        return self._users(given[-1], arranged, targets)

    @property
    def class_weights(self) -> Tensor | None:
        """The weight of each class, of a loss of PyTorch's own that has such."""
        weights = getattr(self.function, "weight", None)
        return weights if isinstance(weights, Tensor) else None

    def _users(self, outputs: Any, arranged: Sequence[Tensor], targets: Sequence[Tensor]) -> Any:
        """Targets with the shape of an output get its layout, unless the loss permutes them."""
        if any(own is not other for own, other in zip(arranged, targets, strict=True)):
            with warnings.catch_warnings(), contextlib.suppress(Exception):
                warnings.filterwarnings("error", "Using a target size")  # it broadcasts them
                return self.function(outputs, _one(arranged))
        with warnings.catch_warnings():  # the report names this as a cause
            warnings.filterwarnings("ignore", "Using a target size")
            return self.function(outputs, _one(targets))


def _arranged(
    target: Tensor, output: Tensor, layout: Layout, shape: tuple[int, ...] | None
) -> Tensor:
    """A target with the shape of Keras's output, in the layout of PyTorch's."""
    if target.shape == layout.to_canonical(output).shape:
        return layout.from_canonical(target).contiguous()
    if shape == tuple(target.shape) and squeezed(shape) == squeezed(output.shape):
        return target.reshape(output.shape)
    return target


def _in_shape(output: Tensor, shape: tuple[int, ...] | None) -> Tensor:
    """An output with the axes of length 1 that Keras's has."""
    same = shape is not None and squeezed(shape) == squeezed(output.shape)
    return output.reshape(shape) if same and shape is not None else output


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _one(tensors: Sequence[Tensor]) -> Any:
    return tensors[0] if len(tensors) == 1 else list(tensors)


def penalties_of(model: nn.Module) -> list[keras_nn.Penalties]:
    """Those that a module holds as an attribute: added to the loss, as Keras adds its own."""
    held = (value for module in model.modules() for value in vars(module).values())
    return [value for value in held if isinstance(value, keras_nn.Penalties)]
