"""Nested lists, tuples, dictionaries and data classes of tensors, as models return them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

IsTensor = Callable[[Any], bool]


def named_outputs(out: Any, is_tensor: IsTensor, name: str = "output") -> list[tuple[str, Any]]:
    """Return the tensors of a model's output by place: ``output``, ``output/1``, ``output/logits``.

    Raises:
        TypeError: there is no tensor in it; what else there is, such as None, is left out.
    """
    if is_tensor(out):
        return [(name, out)]
    parts = [(key, one) for key, one in _parts(out) if _holds_tensors(one, is_tensor)]
    if not parts:
        raise TypeError(f"{name}: received {type(out).__name__}, accepted: tensors")
    if len(parts) == 1:
        return named_outputs(parts[0][1], is_tensor, name)
    return [pair for key, one in parts for pair in named_outputs(one, is_tensor, f"{name}/{key}")]


def with_tensors(out: Any, values: Iterator[Any], is_tensor: IsTensor) -> Any:
    """Return a model's output with other tensors, in the order of :func:`named_outputs`."""
    if is_tensor(out):
        return next(values)
    parts = dict(_parts(out))
    for key, one in parts.items():
        if _holds_tensors(one, is_tensor):
            parts[key] = with_tensors(one, values, is_tensor)
    if isinstance(out, (tuple, list)):
        several = list(parts.values())
        return type(out)(*several) if hasattr(out, "_fields") else type(out)(several)
    found = copy.copy(out)
    for key, one in parts.items():
        if isinstance(out, dict):
            found[key] = one
        else:
            object.__setattr__(found, key, one)
    return found


def flat(values: Sequence[Any]) -> list[Any]:
    """Return the values of nested lists and tuples in one list."""
    return [
        one
        for value in values
        for one in (flat(value) if isinstance(value, (tuple, list)) else [value])
    ]


def _parts(out: Any) -> list[tuple[str, Any]]:
    if isinstance(out, dict) or hasattr(out, "keys"):
        return [(str(key), out[key]) for key in out.keys()]  # noqa: SIM118
    if dataclasses.is_dataclass(out) and not isinstance(out, type):
        names = [field.name for field in dataclasses.fields(out)]
        return [(name, getattr(out, name)) for name in names]
    if isinstance(out, (tuple, list)):
        return [(str(number), one) for number, one in enumerate(out)]
    return []


def _holds_tensors(out: Any, is_tensor: IsTensor) -> bool:
    return is_tensor(out) or any(_holds_tensors(one, is_tensor) for _, one in _parts(out))
