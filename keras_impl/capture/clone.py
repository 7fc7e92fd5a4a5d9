"""Copies of Keras models: custom classes and functions, and the inputs of the first call."""

from __future__ import annotations

import contextlib
import inspect
from collections import Counter
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from keras_impl.private_api import built_shapes, lambda_output_shape, layers_of


def own_objects(model: Any) -> dict[str, Any]:
    """The classes of the model's layers, and functions in them, that are not Keras's, by name.

    Of two functions of one name neither, for a configuration holds no more than that.
    """
    layers = [model, *layers_of(model)]
    inside = [value for layer in layers for value in vars(layer).values()]
    functions = {one for one in inside if isinstance(one, FunctionType)}
    kinds: set[Any] = {type(one) for one in layers}
    own = [
        one
        for one in kinds | functions
        if one.__module__.split(".")[0] not in ("keras", "tf_keras")
    ]
    times = Counter(one.__name__ for one in own)
    return {one.__name__: one for one in own if times[one.__name__] == 1}


@contextlib.contextmanager
def own_functions(keras: Any, model: Any) -> Iterator[None]:
    """Lambda layers made meanwhile of a configuration compute what the model's of that name do.

    A configuration holds a function's code without the names that it knows from its module.
    """
    kind = keras.layers.Lambda
    layers = [one for one in layers_of(model) if isinstance(one, kind)]
    times = Counter(one.name for one in layers)
    originals = {one.name: one for one in layers if times[one.name] == 1}
    original = kind.__dict__["from_config"]

    def from_config(cls: Any, /, config: dict[str, Any], **given: Any) -> Any:
        own = originals.get(config.get("name", ""))
        if own is None:
            return original.__get__(None, cls)(config, **given)
        kept = {one: config[one] for one in ("name", "trainable", "dtype") if one in config}
        shape, arguments = lambda_output_shape(own), dict(own.arguments)
        return cls(own.function, output_shape=shape, mask=own.mask, arguments=arguments, **kept)

    kind.from_config = classmethod(from_config)
    try:
        yield
    finally:
        kind.from_config = original


def settle(copy: Any) -> None:
    """Have layers that learned from data before training take up the numbers just copied."""
    for layer in layers_of(copy):
        if hasattr(layer, "adapt_mean"):
            layer.finalize_state()


def own_call(model: Any) -> tuple[list[str], int]:
    """Names of the parameters of a model's ``call``, and how many of them have no default."""
    call = type(model).call
    if call.__module__.split(".")[0] in ("keras", "tf_keras"):
        return ["inputs"], 1
    parameters = list(inspect.signature(call).parameters.values())[1:]
    plain = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    plain = [one for one in plain if one.name != "training"]
    return [one.name for one in plain], sum(one.default is one.empty for one in plain)


FORGOTTEN = ("data_format", "noise_shape")
"""What Keras 2's spatial and alpha dropout leave out of their configuration."""


def restore(copy: Any, model: Any) -> None:
    """Set attributes of the copy's layers that their configurations leave out."""
    layers = (layers_of(one) for one in (copy, model))
    for own, other in zip(*layers, strict=False):
        for name in FORGOTTEN:
            value = getattr(other, name, None)
            if type(own) is type(other) and getattr(own, name, None) != value:
                setattr(own, name, value)


def build_like(copy: Any, model: Any, dtype: str) -> None:
    """Call the copy as the model was called first, with zeros.

    Raises:
        ValueError: the model was never called.
    """
    import tensorflow as tf

    found = [tf.zeros([one or 1 for one in shape], dtype) for shape in built_shapes(model)]
    copy(found[0] if len(found) == 1 else found)
