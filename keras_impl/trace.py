"""What each named layer gives, caught while the model runs eagerly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def traced(model: Any, names: tuple[str, ...]) -> Iterator[dict[str, np.ndarray]]:
    """Collect the output of every layer in ``names`` while the model is called in this context.

    Yields:
        Layer name to array, filled as the layers run, canonical (channels last) as Keras is.
    """
    found: dict[str, np.ndarray] = {}
    watched = [layer for layer in model.layers if layer.name in names]

    def watch(layer: Any) -> None:
        call = layer.call

        def caught(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            found[layer.name] = output.numpy()
            return output

        layer.call = caught

    try:
        for layer in watched:
            watch(layer)
        yield found
    finally:
        for layer in watched:
            del layer.call
