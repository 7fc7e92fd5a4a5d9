"""Tensors within what a call takes and gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from parity.adapters import nesting


def named_outputs(out: Any) -> list[tuple[str, Tensor]]:
    """See :func:`parity.adapters.nesting.named_outputs`."""
    return nesting.named_outputs(out, lambda one: isinstance(one, Tensor))


def with_tensors(out: Any, values: Iterator[Any]) -> Any:
    """See :func:`parity.adapters.nesting.with_tensors`."""
    return nesting.with_tensors(out, values, lambda one: isinstance(one, Tensor))


def packed(like: Sequence[Any], values: Iterator[Any]) -> tuple[Any, ...]:
    """Flat values in the shape of ``like``."""
    return tuple(
        packed(one, values) if isinstance(one, (tuple, list)) else next(values) for one in like
    )


def with_first(out: Any, value: Tensor) -> Any:
    """The output with another first tensor."""
    if isinstance(out, Tensor):
        return value
    if type(out).__module__ == "torch.return_types":
        return type(out)((value, *out[1:]))
    return (value, *out[1:]) if isinstance(out, (tuple, list)) and out[0] is not None else out
