"""Keras's own ``call`` of a layer, also where a user's class overrides it and calls it in turn."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Handler = Callable[..., Any]
"""Called with Keras's own ``call`` of the layer, and with its arguments."""


def overridden(layer: Any) -> bool:
    """Whether a class of the user's has a ``call`` that takes the place of Keras's."""
    return not _of_keras(next(cls for cls in type(layer).__mro__ if "call" in vars(cls)))


@contextlib.contextmanager
def replaced(handlers: Sequence[tuple[Any, Handler]]) -> Iterator[None]:
    """Each layer's handler is called where Keras's own ``call`` would be."""
    by_layer = {id(layer): handler for layer, handler in handlers}
    owners = {_owner(layer) for layer, _ in handlers}
    originals = {owner: vars(owner)["call"] for owner in owners}

    def replacement(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            own = functools.partial(original, layer)
            handler = by_layer.get(id(layer))
            return own(*args, **kwargs) if handler is None else handler(own, *args, **kwargs)

        return call

    for owner, original in originals.items():
        owner.call = replacement(original)
    try:
        yield
    finally:
        for owner, original in originals.items():
            owner.call = original


def input_sizes(layer: Any, run: Callable[[], Any]) -> list[int]:
    """The number of entries of the first input, each time ``run`` reaches Keras's own ``call``."""
    sizes: list[int] = []
    depth = 0

    def counted(own: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        nonlocal depth
        if depth == 0:
            sizes.append(size(args))
        depth += 1
        try:
            return own(*args, **kwargs)
        finally:
            depth -= 1

    with replaced([(layer, counted)]):
        run()
    return sizes


def size(args: Sequence[Any]) -> int:
    """The number of entries of the first argument, 0 if it is no tensor."""
    return math.prod(args[0].shape) if args and hasattr(args[0], "shape") else 0


def _owner(layer: Any) -> Any:
    """The class of Keras's that has the ``call``."""
    return next(cls for cls in type(layer).__mro__ if _of_keras(cls) and "call" in vars(cls))


def _of_keras(cls: type) -> bool:
    return cls.__module__.split(".")[0] in ("keras", "tf_keras")
