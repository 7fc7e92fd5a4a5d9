"""Tensors within what a layer takes and gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from parity.adapters import nesting


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor, of whatever kind."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def named_outputs(out: Any) -> list[tuple[str, Any]]:
    """See :func:`parity.adapters.nesting.named_outputs`."""
    return nesting.named_outputs(out, lambda one: hasattr(one, "numpy"))


def with_tensors(out: Any, values: Iterator[Any]) -> Any:
    """See :func:`parity.adapters.nesting.with_tensors`."""
    return nesting.with_tensors(out, values, lambda one: hasattr(one, "numpy"))


def packed(like: Sequence[Any], values: Iterator[Any]) -> tuple[Any, ...]:
    """Flat values in the shape of ``like``."""
    return tuple(
        list(packed(one, values)) if isinstance(one, (tuple, list)) else next(values)
        for one in like
    )


def with_first(out: Any, value: Any) -> Any:
    """The output with another first tensor."""
    if is_tensor(out):
        return value
    return type(out)([value, *out[1:]]) if isinstance(out, (tuple, list)) else out
