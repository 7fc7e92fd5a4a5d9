"""Standard JSON, in which non-finite numbers are the strings ``"nan"``, ``"inf"``, ``"-inf"``."""

from __future__ import annotations

import json
import math
import sys
from typing import Any, NoReturn

NON_FINITE = ("nan", "inf", "-inf")


def dumps(value: Any) -> str:
    """Return JSON text for a value; :func:`encode_non_finite` first if numbers may not be finite.

    Raises:
        ValueError: the value contains a non-finite number.
    """
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def loads(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: not JSON, or it contains ``NaN`` or ``Infinity``, which are not standard JSON.
    """
    return json.loads(text, parse_constant=_refuse)


def is_number(value: Any) -> bool:
    """Return whether a decoded value is a number that a float can hold, or a non-finite string."""
    if isinstance(value, str):
        return value in NON_FINITE
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def encode_non_finite(value: Any) -> Any:
    """Return the value with each non-finite number replaced by its string."""
    if isinstance(value, dict):
        return {name: encode_non_finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode_non_finite(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def decode_non_finite(value: Any) -> Any:
    """Return the value with each non-finite string replaced by its number."""
    if isinstance(value, dict):
        return {name: decode_non_finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [decode_non_finite(one) for one in value]
    return float(value) if isinstance(value, str) and value in NON_FINITE else value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"received {name}, accepted: finite numbers")
