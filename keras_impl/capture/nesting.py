"""Tensors within what a layer takes and gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor, of whatever kind."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def named_outputs(out: Any, name: str = "output") -> list[tuple[str, Any]]:
    """The tensors of a model's output by place: ``output``, ``output/1``, ``output/logits``.

    Raises:
        TypeError: there is something else in it.
    """
    if hasattr(out, "numpy"):
        return [(name, out)]
    if isinstance(out, dict) or hasattr(out, "keys"):
        parts = [(str(key), out[key]) for key in out.keys()]  # noqa: SIM118
    elif isinstance(out, (tuple, list)):
        parts = [(str(number), one) for number, one in enumerate(out)]
    else:
        raise TypeError(f"{name}: received {type(out).__name__}, accepted: tensors")
    if len(parts) == 1:
        return named_outputs(parts[0][1], name)
    return [pair for key, one in parts for pair in named_outputs(one, f"{name}/{key}")]


def flat(values: Sequence[Any]) -> list[Any]:
    """The values of nested lists and tuples in one list."""
    return [
        one
        for value in values
        for one in (flat(value) if isinstance(value, (tuple, list)) else [value])
    ]


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
