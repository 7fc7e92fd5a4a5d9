"""Tensors within what a layer takes and gives."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor, of whatever kind."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def named_outputs(out: Any, name: str = "output") -> list[tuple[str, Any]]:
    """The tensors of a model's output by place: ``output``, ``output/1``, ``output/logits``.

    Raises:
        TypeError: there is no tensor in it; what else there is, such as None, is left out.
    """
    if hasattr(out, "numpy"):
        return [(name, out)]
    parts = [(key, one) for key, one in _parts(out) if _holds_tensors(one)]
    if not parts:
        raise TypeError(f"{name}: received {type(out).__name__}, accepted: tensors")
    if len(parts) == 1:
        return named_outputs(parts[0][1], name)
    return [pair for key, one in parts for pair in named_outputs(one, f"{name}/{key}")]


def _parts(out: Any) -> list[tuple[str, Any]]:
    if isinstance(out, dict) or hasattr(out, "keys"):
        return [(str(key), out[key]) for key in out.keys()]  # noqa: SIM118
    if dataclasses.is_dataclass(out) and not isinstance(out, type):
        names = [field.name for field in dataclasses.fields(out)]
        return [(name, getattr(out, name)) for name in names]
    if isinstance(out, (tuple, list)):
        return [(str(number), one) for number, one in enumerate(out)]
    return []


def _holds_tensors(out: Any) -> bool:
    return hasattr(out, "numpy") or any(_holds_tensors(one) for _, one in _parts(out))


def with_tensors(out: Any, values: Iterator[Any]) -> Any:
    """A model's output with other tensors, in the order of :func:`named_outputs`."""
    if hasattr(out, "numpy"):
        return next(values)
    parts = dict(_parts(out))
    for key, one in parts.items():
        parts[key] = with_tensors(one, values) if _holds_tensors(one) else one
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
