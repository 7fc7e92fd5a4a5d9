"""The private functions and attributes of Keras and TensorFlow that are used, each with its reason.

Everything here may change with a new version of either; nothing else in ``capture`` uses them.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

Observer = Callable[[str, Sequence[Any], dict[str, Any], Sequence[Any]], Any]
"""From an operation's kind, inputs, attributes and outputs to other outputs, or None."""


def layers_of(model: Any, include_self: bool = False) -> list[Any]:
    """All layers, also those within others: the public ``layers`` leaves out nested ones."""
    flatten = getattr(model, "_flatten_layers", None)
    return list(flatten(include_self=include_self, recursive=True)) if flatten else []


def mask_of(tensor: Any) -> Any:
    """The mask that Keras attaches to a tensor, or None; no public function reads it."""
    return getattr(tensor, "_keras_mask", None)


def set_mask(tensor: Any, mask: Any) -> None:
    """Attach a mask to a tensor that substitutes another one."""
    tensor._keras_mask = mask


def rate_of(optimizer: Any, dtype: str) -> Any:
    """The learning rate or its schedule: the public attribute evaluates a schedule."""
    if hasattr(optimizer, "_decayed_lr"):  # of a legacy optimizer, which has a decay of its own
        return optimizer._decayed_lr(dtype)
    return optimizer._learning_rate


def function_arguments(loss: Any) -> dict[str, Any]:
    """The arguments of a loss's function: Keras 3's configuration of Huber lacks its delta."""
    return dict(getattr(loss, "_fn_kwargs", {}))


def decays(optimizer: Any, variable: Any) -> bool:
    """Whether an optimizer's weight decay applies to a variable."""
    applies = getattr(optimizer, "_use_weight_decay", None)
    return applies is None or bool(applies(variable))


def exclude_from_decay(optimizer: Any, like: Any, copies: Sequence[tuple[Any, Any]]) -> None:
    """Exclude from weight decay what another optimizer excludes; no configuration holds it.

    Args:
        optimizer: a copy of it, not built yet.
        like: the other.
        copies: variables of the model that the other is for, each with its copy.
    """
    names = ("_exclude_from_weight_decay_pattern", "_exclude_from_weight_decay_names")
    for name in names:
        if hasattr(like, name):
            setattr(optimizer, name, getattr(like, name))
    keys = getattr(like, "_exclude_from_weight_decay", ())
    if keys or hasattr(like, "_exclude_from_weight_decay"):
        found = [optimizer._var_key(copy) for one, copy in copies if like._var_key(one) in keys]
        optimizer._exclude_from_weight_decay = set(found) if isinstance(keys, set) else found


def lambda_output_shape(layer: Any) -> Any:
    """The ``output_shape`` that a Lambda layer was made with, which its copy needs."""
    return layer._output_shape


def built_shapes(model: Any) -> list[Any]:
    """Shapes of the inputs that a model was first called with, so that its copy can be built.

    Raises:
        ValueError: the model was never called.
    """
    spec = getattr(model, "_saved_model_inputs_spec", None)  # Keras 2
    if spec is not None:
        several = spec if isinstance(spec, (list, tuple)) else [spec]
        return [tuple(one.shape) for one in several]
    shapes = getattr(model, "_build_shapes_dict", None)  # Keras 3
    if not shapes:
        raise ValueError("the model was never called")
    first = next(iter(shapes.values()))
    return list(first) if isinstance(first[0], (list, tuple)) else [first]


@contextlib.contextmanager
def lambdas_allowed(keras: Any) -> Iterator[None]:
    """Let Keras 3 copy Lambda layers: they come from the user's memory and not from a file."""
    config = getattr(keras, "config", None)
    if hasattr(config, "enable_unsafe_deserialization"):
        state = importlib.import_module("keras.src.saving.serialization_lib")
        with state.SafeModeScope(safe_mode=False):
            yield
    else:
        yield


@contextlib.contextmanager
def calls_replaced(keras: Any, wrap: Callable[[Any], Any]) -> Iterator[None]:
    """Replace the ``__call__`` of all layers: there are no hooks for the calls of a layer."""
    classes = [keras.layers.Layer]
    if hasattr(keras, "Operation"):  # Keras 3: functions in a functional model
        classes.append(keras.Operation)
    before = [cls.__call__ for cls in classes]
    for cls, call in zip(classes, before, strict=True):
        cls.__call__ = wrap(call)
    try:
        yield
    finally:
        for cls, call in zip(classes, before, strict=True):
            cls.__call__ = call


@contextlib.contextmanager
def operations_observed(observer: Observer) -> Iterator[None]:
    """Report each eager operation to ``observer``, which may substitute its outputs.

    There is no public hook for eager operations.
    """
    from tensorflow.python.framework import op_callbacks

    def callback(
        op_type: str,
        inputs: Any,
        attrs: Any,
        outputs: Any,
        op_name: Any = None,
        graph: Any = None,
    ) -> Any:
        if graph is not None:
            return None
        named = dict(zip(attrs[::2], attrs[1::2], strict=True)) if attrs else {}
        return observer(op_type, inputs, named, outputs)

    op_callbacks.add_op_callback(callback)
    try:
        yield
    finally:
        op_callbacks.remove_op_callback(callback)


@contextlib.contextmanager
def conversions_replaced(
    convert: Callable[[Any], Any], cast: Callable[[Any], Any]
) -> Iterator[None]:
    """Replace the conversion of Python numbers to tensors, and casts.

    Neither is an operation with the number's digits: a conversion to float32 has lost them.

    Args:
        convert: from TensorFlow's function to the one that replaces it.
        cast: likewise.
    """
    from tensorflow.python.framework import constant_op
    from tensorflow.python.ops import gen_math_ops

    replaced = convert(constant_op.convert_to_eager_tensor), cast(gen_math_ops.cast)
    with (
        mock.patch.object(constant_op, "convert_to_eager_tensor", replaced[0]),
        mock.patch.object(gen_math_ops, "cast", replaced[1]),
    ):
        yield


@contextlib.contextmanager
def kernels_replaced(names: Sequence[str], wrap: Callable[[Any], Any]) -> Iterator[None]:
    """Replace TensorFlow's generated functions of neural networks' operations.

    Args:
        names: of the functions.
        wrap: from each to the one that replaces it.
    """
    from tensorflow.python.ops import gen_nn_ops

    with contextlib.ExitStack() as stack:
        for name in names:
            replaced = wrap(getattr(gen_nn_ops, name))
            stack.enter_context(mock.patch.object(gen_nn_ops, name, replaced))
        yield


def execute(kind: str, count: int, inputs: Sequence[Any], attributes: tuple[Any, ...]) -> list[Any]:
    """Run an operation by the name of its kind and record its gradient.

    ``tf.raw_ops`` accepts no attributes that name types.

    Args:
        kind: of the operation.
        count: of its outputs.
        inputs: tensors.
        attributes: names and values in turn.
    """
    from tensorflow.python.eager import context
    from tensorflow.python.eager import execute as eager

    found: list[Any] = eager.execute(kind, count, inputs, attributes, context.context())
    eager.record_gradient(kind, inputs, attributes, found)
    return found


@contextlib.contextmanager
def image_functions_replaced(replacements: Mapping[str, Callable[[Any], Any]]) -> Iterator[None]:
    """Replace functions that ``tf.image`` calls.

    Args:
        replacements: name of a function to what makes its replacement of it.
    """
    from tensorflow.python.ops import gen_image_ops

    with contextlib.ExitStack() as stack:
        for name, replace in replacements.items():
            replaced = replace(getattr(gen_image_ops, name))
            stack.enter_context(mock.patch.object(gen_image_ops, name, replaced))
        yield
