"""Fields of a spec: each carries its help text and what it accepts, for check and flag alike."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, get_type_hints

from parity.constants import as_float32
from parity.errors import ParityError


@dataclass(frozen=True)
class Accepts:
    """What a field accepts: a type, and a range or a choice. Bounds are in the field's own unit.

    ``optional``: also None, for a value that does not apply.
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
        """Say in words what is accepted, for help texts and error lines."""
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
        """Tell whether ``value`` (one element, or a sequence where ``many``) is accepted."""
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
            stored = as_float32(float(value))  # both twins compute with what float32 makes of it
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
    """A dataclass field with ``help`` and an :class:`Accepts`; ``flag=False``: not on the CLI.

    A default of None makes it optional.
    """
    accepts.setdefault("optional", default is None)
    metadata = {"help": help, "accepts": Accepts(**accepts), "flag": flag}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Checked:
    """Base of every spec: fields made by :func:`option` are checked when the object is made."""

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
            if accepts.kind is float and value is not None:  # whole numbers are kept as floats, too
                floats = tuple(map(float, value)) if accepts.many else float(value)
                object.__setattr__(self, entry.name, floats)


def to_json(spec: Any) -> dict[str, Any]:
    """A spec as plain JSON data: field name to value, nested specs to nested objects."""
    return dataclasses.asdict(spec)


def from_json(cls: type, data: Any, where: str) -> Any:
    """Rebuild a spec of class ``cls`` from JSON data; ``where`` names the place in error lines.

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
