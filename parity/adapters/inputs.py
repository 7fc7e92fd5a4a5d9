"""Inputs of a model: arrays, and where each of them is in the arguments of its call."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Place:
    """Where an array is: its number."""

    number: int


class Inputs(list[np.ndarray]):
    """Arrays in the order in which they appear in a call's arguments.

    Attributes:
        structure: dictionaries, lists, tuples, dataclasses and other values, with a :class:`Place`
            for each array; None where each array is an argument of its own.
    """

    def __init__(self, arrays: Iterable[np.ndarray], structure: Any = None) -> None:
        super().__init__(arrays)
        self.structure = structure


def nested(value: Any, convert: Callable[[Any], np.ndarray]) -> Inputs:
    """Arrays within dictionaries, lists, tuples and dataclasses, in their order.

    Args:
        value: with at least one array; None, booleans and texts stay as they are.
        convert: from an array or tensor to an array.
    """
    found: list[np.ndarray] = []

    def place(one: Any) -> Any:
        if one is None or isinstance(one, (bool, str)):
            return one
        if _mapping(one):
            return {key: place(one[key]) for key in one.keys()}  # noqa: SIM118
        if isinstance(one, (list, tuple)) and structured(one):
            return _like(one, [place(part) for part in one])
        if dataclasses.is_dataclass(one) and not isinstance(one, type):
            names = [field.name for field in dataclasses.fields(one)]
            return dataclasses.replace(one, **{name: place(getattr(one, name)) for name in names})
        found.append(convert(one))
        return Place(len(found) - 1)

    structure = place(value)
    return Inputs(found, structure)


def structured(value: Any) -> bool:
    """Whether a value has arrays inside, and is none itself."""
    if isinstance(value, (list, tuple)):
        return any(one is None or _is_array(one) or structured(one) for one in value)
    return _mapping(value) or (dataclasses.is_dataclass(value) and not isinstance(value, type))


def filled(inputs: Sequence[Any], values: Sequence[Any]) -> Any:
    """The structure of some inputs with other values in the places of the arrays; None for none."""
    structure = getattr(inputs, "structure", None)

    def fill(one: Any) -> Any:
        if isinstance(one, Place):
            return values[one.number]
        if isinstance(one, dict):
            return {key: fill(part) for key, part in one.items()}
        if isinstance(one, (list, tuple)):
            return _like(one, [fill(part) for part in one])
        if dataclasses.is_dataclass(one) and not isinstance(one, type):
            names = [field.name for field in dataclasses.fields(one)]
            return dataclasses.replace(one, **{name: fill(getattr(one, name)) for name in names})
        return one

    return fill(structure)


def arguments(
    structure: Any, names: Sequence[str], any_name: bool
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call: a dictionary by name where the function has these names.

    Args:
        structure: as it was passed.
        names: of the function's parameters.
        any_name: whether it takes any other by name.
    """
    if isinstance(structure, dict):
        if any_name or set(structure) <= set(names):
            return (), structure
        if len(names) == 1:
            return (structure,), {}
        return tuple(structure.values()), {}
    if isinstance(structure, (list, tuple)) and len(names) != 1:
        return tuple(structure), {}
    return (structure,), {}


def _like(one: Any, values: list[Any]) -> Any:
    if hasattr(one, "_fields"):  # a named tuple
        return type(one)(*values)
    return values if isinstance(one, list) else tuple(values)


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping) or (hasattr(value, "keys") and hasattr(value, "__getitem__"))


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (hasattr(value, "shape") and hasattr(value, "dtype"))
