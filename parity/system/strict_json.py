"""JSON as its standard has it: numbers that it lacks stand as ``"nan"``, ``"inf"``, ``"-inf"``."""

from __future__ import annotations

import json
import math
import sys
from typing import Any, NoReturn

NON_FINITE = ("nan", "inf", "-inf")


def dumps(value: Any) -> str:
    """JSON text of a value whose numbers are all finite (see :func:`as_text`)."""
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def loads(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: no JSON, or ``NaN`` and ``Infinity``, which Python writes but JSON lacks.
    """
    return json.loads(text, parse_constant=_refuse)


def is_number(value: Any) -> bool:
    """Whether a value that was read stands for a number that a float can hold."""
    if isinstance(value, str):
        return value in NON_FINITE
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def as_text(value: Any) -> Any:
    """The value with each number in it that JSON lacks as text."""
    if isinstance(value, dict):
        return {name: as_text(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_text(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def as_numbers(value: Any) -> Any:
    """The inverse of :func:`as_text`."""
    if isinstance(value, dict):
        return {name: as_numbers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [as_numbers(one) for one in value]
    return float(value) if isinstance(value, str) and value in NON_FINITE else value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"received {name}, accepted: finite numbers")
