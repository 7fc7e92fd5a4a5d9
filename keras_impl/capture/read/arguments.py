"""What a layer is called with."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from keras_impl import private_api
from keras_impl.capture.read.registry import reader_of


def by_place(
    layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Inputs that were given by name in their places."""
    names = [name for name in ("inputs", "query", "value", "key") if name in kwargs]
    if not names:
        return args, kwargs
    order = [one for one in inspect.signature(layer.call).parameters if one != "self"]
    rest = dict(kwargs)
    found = list(args)
    for name in order[len(args) :]:
        if name not in names:
            break
        found.append(rest.pop(name))
    return tuple(found), rest


def starts_elsewhere(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a recurrent layer is given states to begin with."""
    several = len(args) > 1 and args[1] is not None
    several = several or isinstance(args[0], (list, tuple))
    return reader_of(layer).recurrent and (several or kwargs.get("initial_state") is not None)


def masked(tensor: Any, like: Any) -> Any:
    """The tensor with another one's mask."""
    mask = private_api.mask_of(like)
    if mask is not None:
        private_api.set_mask(tensor, mask)
    return tensor


def mask_of(tensor: Any) -> np.ndarray | None:
    """The mask that a tensor carries."""
    mask = private_api.mask_of(tensor)
    return None if mask is None else np.asarray(mask.numpy())
