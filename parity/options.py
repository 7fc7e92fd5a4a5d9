"""Dataclass fields with a help text and accepted values, for validation and command-line flags."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, get_type_hints

from parity.constants import as_float32
from parity.errors import ParityError


@dataclass(frozen=True)
class Accepts:
    """The values that a field accepts: a type, with a range or choices.

    Attributes:
        kind: ``int``, ``float`` (stored as float32), ``str`` or ``bool``.
        many: the value is a sequence of ``kind``.
        minimum: smallest value.
        above: the value must be greater.
        below: the value must be smaller.
        maximum: largest value.
        choices: the only accepted values; empty: any.
        empty: a sequence may be empty.
        optional: None is accepted, for a value that does not apply.
    """

    kind: type
    many: bool = False
    minimum: float | None = None
    above: float | None = None
    below: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    empty: bool = True
    optional: bool = False

    def describe(self) -> str:
        """Return the accepted values in words, for help texts and error messages."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind is bool:
            return "true or false"
        noun = {int: "whole number", float: "float32 number", str: "text"}[self.kind]
        bounds = [
            f"{sign} {bound:g}"
            for sign, bound in (
                (">=", self.minimum),
                (">", self.above),
                ("<", self.below),
                ("<=", self.maximum),
            )
            if bound is not None
        ]
        text = noun + (" " + " and ".join(bounds) if bounds else "")
        if not self.many:
            return f"a {text}"
        return f"{'any number of' if self.empty else 'one or more'} values, each a {text}"

    def admits(self, value: Any) -> bool:
        """Return whether ``value`` (a sequence if ``many``, else one element) is accepted."""
        if value is None and self.optional:
            return True
        if self.many:
            if not isinstance(value, (tuple, list)) or (not value and not self.empty):
                return False
            return all(self._admits_one(element) for element in value)
        return self._admits_one(value)

    def _admits_one(self, value: Any) -> bool:
        if self.kind is not float:
            return type(value) is self.kind and self._within(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        try:
            stored = as_float32(float(value))  # both implementations compute with this
        except OverflowError:
            return False
        return math.isfinite(stored) and self._within(value) and self._within(stored)

    def _within(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        return not (
            (self.minimum is not None and value < self.minimum)
            or (self.above is not None and value <= self.above)
            or (self.below is not None and value >= self.below)
            or (self.maximum is not None and value > self.maximum)
        )


def option(
    default: Any = dataclasses.MISSING, *, help: str, flag: bool = True, **accepts: Any
) -> Any:
    """Return a validated dataclass field, with a command-line flag unless ``flag=False``.

    Args:
        default: None makes the field optional; without a default it is required.
        help: text for the command line.
        flag: whether the field has a command-line flag.
        **accepts: arguments of :class:`Accepts`.
    """
    accepts.setdefault("optional", default is None)
    metadata = {"help": help, "accepts": Accepts(**accepts), "flag": flag}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Checked:
    """Base class of specs: fields defined with :func:`option` are validated on construction."""

    def __post_init__(self) -> None:
        for entry in dataclasses.fields(self):
            accepts: Accepts | None = entry.metadata.get("accepts")
            if accepts is None:
                continue
            value = getattr(self, entry.name)
            if accepts.many and isinstance(value, list):
                value = tuple(value)
                object.__setattr__(self, entry.name, value)
            if not accepts.admits(value):
                raise ParityError(
                    f"{entry.name}: received {value!r}, accepted: {accepts.describe()}"
                )
            if accepts.kind is float and value is not None:  # stores 1 as 1.0
                floats = tuple(map(float, value)) if accepts.many else float(value)
                object.__setattr__(self, entry.name, floats)


def to_json(spec: Any) -> dict[str, Any]:
    """Return a spec as JSON data: field names to values, nested specs to nested objects."""
    return dataclasses.asdict(spec)


def from_json(cls: type, data: Any, where: str) -> Any:
    """Create a spec of class ``cls`` from JSON data; ``where`` is its location for messages.

    Raises:
        ParityError: a field is unknown, missing or out of range.
    """
    if not isinstance(data, dict):
        raise ParityError(f"{where}: received {type(data).__name__}, accepted: an object")
    known = {entry.name: entry for entry in dataclasses.fields(cls)}
    for name in data:
        if name not in known:
            raise ParityError(f"{where}: unknown field {name!r}, accepted: {', '.join(known)}")
    for name, entry in known.items():
        if name not in data and entry.default is dataclasses.MISSING:
            raise ParityError(f"{where}: field {name!r} is missing")
    hints = get_type_hints(cls)
    values = {
        name: from_json(hints[name], value, f"{where}.{name}")
        if dataclasses.is_dataclass(hints[name])
        else value
        for name, value in data.items()
    }
    return cls(**values)
