"""Checks and converts the arguments of a check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.adapters.inputs import Inputs, nested, structured
from parity.errors import ParityError, describe_error


def arrays(values: Any, name: str) -> list[np.ndarray]:
    """Convert one array or several, or the result of a function that returns them, to NumPy.

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


def inputs(values: Any, name: str) -> Inputs:
    """Convert what a model is called with: arrays, and any structure of them.

    Args:
        values: as of :func:`arrays`; or a dictionary, a dataclass, or a list with such, or with
            None, inside; or a function that returns one.
        name: of the argument.

    Raises:
        ParityError: see :func:`arrays`.
    """
    values = values() if callable(values) else values
    flat = isinstance(values, (list, tuple)) and not hasattr(values, "_fields")
    if flat and not any(one is None or structured(one) for one in values):
        return Inputs(arrays(values, name))
    if not structured(values):
        return Inputs(arrays(values, name))
    found = nested(values, lambda one: _array(one, name))
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
            f"{name}: received {type(value).__name__} ({describe_error(error)}), "
            "accepted: arrays of numbers"
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


def mapping(names: Any) -> dict[str, str]:
    """Convert ``layer_map`` to a mapping of Keras layers to PyTorch modules.

    Args:
        names: a mapping of names, pairs of them, or None.

    Raises:
        ParityError: it is nothing of the kind, or a layer has two modules.
    """
    try:
        pairs = [*(names.items() if isinstance(names, Mapping) else names or ())]
        pairs = [(layer, module) for layer, module in pairs]
    except (TypeError, ValueError):
        raise ParityError(
            f"layer_map: received {type(names).__name__}, accepted: a mapping of Keras's names to "
            "PyTorch's"
        ) from None
    found: dict[str, str] = {}
    for layer, module in pairs:
        if not (isinstance(layer, str) and isinstance(module, str)):
            raise ParityError(f"layer_map: received {layer!r}: {module!r}, accepted: names")
        if found.setdefault(layer, module) != module:
            raise ParityError(
                f"layer_map: received {layer}={found[layer]} and {layer}={module}, accepted: each "
                "layer once"
            )
    return found


def refuse_below(value: Any, name: str, least: int) -> None:
    """Refuse anything but a whole number of at least ``least``.

    Raises:
        ParityError: it is not one.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ParityError(f"{name}: received {value!r}, accepted: a whole number from {least} on")
