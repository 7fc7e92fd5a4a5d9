"""What each named layer takes and gives, caught while the model runs eagerly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from keras_impl.framework import tf


@dataclass
class Trace:
    """What was caught; tensors as TensorFlow has them.

    Attributes:
        outputs: layer name to what it returned.
        masks: layer name to the keep mask, or the random numbers, that it was given.
    """

    outputs: dict[str, Any] = field(default_factory=dict)
    masks: dict[str, Any] = field(default_factory=dict)


@contextmanager
def traced(
    model: Any, names: tuple[str, ...], given: Mapping[str, Any] | None = None
) -> Iterator[Trace]:
    """Catch every layer in ``names`` while the model is called in this context.

    Args:
        model: the network.
        names: layer names.
        given: layer name to what is handed on in place of what it returned, so that the next layer,
            and a penalty on what this one returns, depend on that alone.
    """
    found = Trace()
    watched = [layer for layer in model.layers if layer.name in names]

    def watch(layer: Any) -> None:
        call = layer.call

        def caught(x: Any, *args: Any, **kwargs: Any) -> Any:
            mask = args[0] if args else kwargs.get("keep")
            if mask is not None:  # a mask, or numbers, which Keras 3 casts to its own dtype
                found.masks[layer.name] = (
                    mask if mask.dtype == tf.bool else tf.cast(mask, "float32")
                )
            found.outputs[layer.name] = call(x, *args, **kwargs)
            return given[layer.name] if given else found.outputs[layer.name]

        layer.call = caught

    try:
        for layer in watched:
            watch(layer)
        yield found
    finally:
        for layer in watched:
            del layer.call
