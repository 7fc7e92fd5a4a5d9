"""A Keras model made once more: the user's own classes, and the inputs that it was built with."""

from __future__ import annotations

from typing import Any


def own_classes(model: Any) -> dict[str, type]:
    """The classes of the model's layers that are not Keras's, by name."""
    layers = [model, *model._flatten_layers(include_self=False)]
    kinds = {type(one) for one in layers}
    own = [one for one in kinds if one.__module__.split(".")[0] not in ("keras", "tf_keras")]
    return {one.__name__: one for one in own}


FORGOTTEN = ("data_format", "noise_shape")
"""What Keras 2's spatial and alpha dropout leave out of their configuration."""


def restore(copy: Any, model: Any) -> None:
    """Give the copy's layers what the model's have, and their configurations do not say."""
    layers = (one._flatten_layers(include_self=False) for one in (copy, model))
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

    found = [tf.zeros([one or 1 for one in shape], dtype) for shape in _shapes(model)]
    copy(found[0] if len(found) == 1 else found)


def _shapes(model: Any) -> list[Any]:
    spec = getattr(model, "_saved_model_inputs_spec", None)  # Keras 2
    if spec is not None:
        several = spec if isinstance(spec, (list, tuple)) else [spec]
        return [tuple(one.shape) for one in several]
    shapes = getattr(model, "_build_shapes_dict", None)  # Keras 3
    if not shapes:
        raise ValueError("the model was never called")
    first = next(iter(shapes.values()))
    return list(first) if isinstance(first[0], (list, tuple)) else [first]
