"""Nested lists, tuples and dictionaries of tensors, as models return them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def named_outputs(
    out: Any, is_tensor: Callable[[Any], bool], name: str = "output"
) -> list[tuple[str, Any]]:
    """Return the tensors of a model's output by place: ``output``, ``output/1``, ``output/logits``.

    Raises:
        TypeError: the output contains something that is not a tensor.
    """
    if is_tensor(out):
        return [(name, out)]
    if isinstance(out, dict) or hasattr(out, "keys"):
        parts = [(str(key), out[key]) for key in out.keys()]  # noqa: SIM118
    elif isinstance(out, (tuple, list)):
        parts = [(str(number), one) for number, one in enumerate(out)]
    else:
        raise TypeError(f"{name}: received {type(out).__name__}, accepted: tensors")
    if len(parts) == 1:
        return named_outputs(parts[0][1], is_tensor, name)
    return [pair for key, one in parts for pair in named_outputs(one, is_tensor, f"{name}/{key}")]


def flat(values: Sequence[Any]) -> list[Any]:
    """Return the values of nested lists and tuples in one list."""
    return [
        one
        for value in values
        for one in (flat(value) if isinstance(value, (tuple, list)) else [value])
    ]
