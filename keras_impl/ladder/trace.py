"""Record the output and mask of each named layer while the model runs eagerly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from keras_impl.framework import tf


@dataclass
class Trace:
    """The recorded TensorFlow tensors.

    Attributes:
        outputs: layer name to its output.
        masks: layer name to its keep mask or random numbers.
    """

    outputs: dict[str, Any] = field(default_factory=dict)
    masks: dict[str, Any] = field(default_factory=dict)


@contextmanager
def traced(
    model: Any, names: tuple[str, ...], given: Mapping[str, Any] | None = None
) -> Iterator[Trace]:
    """Record every layer in ``names`` while the model is called in this context.

    Args:
        model: the network.
        names: layer names.
        given: layer name to a substitute for its output, so that the next layer, and a penalty on
            this layer's output, depend only on the substitute.
    """
    found = Trace()
    watched = [layer for layer in model.layers if layer.name in names]

    def watch(layer: Any) -> None:
        call = layer.call

        def caught(x: Any, *args: Any, **kwargs: Any) -> Any:
            mask = args[0] if args else kwargs.get("keep")
            if mask is not None:  # a mask or numbers, which Keras 3 casts to its dtype
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
