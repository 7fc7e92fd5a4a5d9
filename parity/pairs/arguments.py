"""Arguments of a check, as it uses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from parity.errors import ParityError, said


def arrays(values: Any, name: str) -> list[np.ndarray]:
    """One array or several, or a function that gives them, as NumPy's.

    Args:
        values: arrays or tensors of numbers, of at least one entry each.
        name: of the argument.

    Raises:
        ParityError: they are none, or one holds NaN, which equals nothing.
    """
    values = values() if callable(values) else values
    several = values if isinstance(values, (list, tuple)) else [values]
    found = [_array(value, name) for value in several]
    if not found:
        raise ParityError(f"{name}: received none, accepted: an array, or several in a list")
    return found


def _array(value: Any, name: str) -> np.ndarray:
    value = value.detach() if hasattr(value, "detach") else value
    try:
        array = np.asarray(value)
    except ValueError:
        raise ParityError(
            f"{name}: received a list of unequal lengths, accepted: arrays of numbers"
        ) from None
    except Exception as error:
        raise ParityError(
            f"{name}: received {type(value).__name__} ({said(error)}), accepted: arrays of numbers"
        ) from error
    if array.dtype.kind not in "fiub":
        kind = type(value).__name__ if array.dtype == object else array.dtype
        raise ParityError(f"{name}: received {kind}, accepted: arrays of numbers")
    if not array.size:
        raise ParityError(
            f"{name}: received an array of shape {array.shape}, accepted: at least one example"
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ParityError(f"{name}: received NaN, which equals nothing, accepted: numbers")
    return array.astype(np.float64) if array.dtype == np.longdouble else array


def mapping(pairs: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    """Keras layers to PyTorch modules.

    Raises:
        ParityError: a layer has two, or one of the names is no text.
    """
    found: dict[str, str] = {}
    for own, other in pairs:
        if not (isinstance(own, str) and isinstance(other, str)):
            raise ParityError(f"layer_map: received {own!r}: {other!r}, accepted: names")
        if found.get(own, other) != other:
            raise ParityError(
                f"layer_map: received {own}={found[own]} and {own}={other}, accepted: each layer "
                "once"
            )
        found[own] = other
    return found


def refuse(steps: Any, weights: Any, accepted: Iterable[str], layer_map: Any) -> None:
    """Refuse what is of no such kind.

    Raises:
        ParityError: ``steps`` is no whole number from 1 on, ``weights`` none of the accepted,
            ``layer_map`` no mapping of names to names.
    """
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
        raise ParityError(f"steps: received {steps!r}, accepted: a whole number from 1 on")
    if weights not in (known := list(accepted)):
        raise ParityError(f"weights: received {weights!r}, accepted: {', '.join(known)}")
    if not isinstance(layer_map or {}, Mapping):
        raise ParityError(
            f"layer_map: received {type(layer_map).__name__}, accepted: a mapping of Keras's names "
            "to PyTorch's"
        )
    mapping((layer_map or {}).items())
