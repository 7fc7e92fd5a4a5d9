"""What TensorFlow code computes in float32 although the model computes in float64.

A Python float becomes float32 where no dtype is given, and so does what is computed of it:
``x / tf.cast(tf.sqrt(2.0), x.dtype)``; other code casts to float32, computes, and casts back.
Beside each such tensor its value in float64 is kept, and can be taken where it is cast back.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_impl.capture.precision.float64_resizing import resized
from keras_impl.capture.read.activations import shortest
from keras_impl.private_api import conversions_replaced, execute, operations_observed


class Islands:
    """What is computed in float32, followed through the operations of a run in float64.

    Attributes:
        promote_to_float64: whether casts to float64 give what float64 would have given.
        rounded: the place of each cast that gives something else, and what.
    """

    def __init__(self, promote_to_float64: bool) -> None:
        self.promote_to_float64 = promote_to_float64
        self.rounded: dict[str, str] = {}
        self.beside: dict[int, tuple[Any, Any]] = {}  # a tensor, and its value in float64
        self.changed: tuple[Any, Any] = (None, None)  # what a cast gave, and float64 would have
        self.paused = False

    @contextlib.contextmanager
    def observed(self) -> Iterator[None]:
        """Keep the digits of numbers that become float32 tensors, and substitute casts."""
        import tensorflow as tf

        def convert(original: Any) -> Any:
            def converted(value: Any, *args: Any, **kwargs: Any) -> Any:
                tensor = original(value, *args, **kwargs)
                double = isinstance(value, float) or getattr(value, "dtype", None) == np.float64
                if double and tensor.dtype == tf.float32:
                    self.beside[id(tensor)] = tensor, original(value, args[0], tf.float64)
                return tensor

            return converted

        def cast(original: Any) -> Any:
            def substituted(*args: Any, **kwargs: Any) -> Any:
                out = original(*args, **kwargs)
                given, promoted = self.changed
                return promoted if self.promote_to_float64 and out is given else out

            return substituted

        with conversions_replaced(convert, cast):
            yield

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        """Every operation is followed meanwhile, where no one watches the layers."""
        with operations_observed(functools.partial(self.follow, "")), self.observed():
            yield

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """Nothing is followed meanwhile: constants that Keras rounds by itself stay rounded."""
        before, self.paused = self.paused, True
        try:
            yield
        finally:
            self.paused = before

    def follow(
        self,
        place: str,
        kind: str,
        inputs: Sequence[Any],
        attributes: dict[str, Any],
        outputs: Sequence[Any],
    ) -> Any:
        """One operation.

        Returns:
            The substitute for its output; None for the output itself.
        """
        import tensorflow as tf

        if self.paused or all(one.dtype != tf.float32 for one in (*inputs, *outputs)):
            return None
        if kind == "Cast":
            found = [tf.cast(self._value(inputs[0]), tf.float64)]
        elif kind == "Identity":  # behind a gradient of its own, which float64 need not have
            found = [self._value(inputs[0])]
        else:
            found = self._again(kind, inputs, attributes, outputs)
        for one, value in zip(outputs, found, strict=True):
            if one.dtype == tf.float32:
                self.beside[id(one)] = one, value
        out, whole = outputs[0], found[0]
        if kind != "Cast" or out.dtype != tf.float64 or np.array_equal(out, whole):
            return None
        exact = f"{float(out):.17g}, not {float(whole):.17g}" if out.shape.rank == 0 else ""
        self.rounded[place] = exact
        self.changed = out, whole
        return whole if self.promote_to_float64 else None

    def _value(self, tensor: Any) -> Any:
        """In float64 what is float32; a number that nothing is known of as it would be written."""
        import tensorflow as tf

        if tensor.dtype != tf.float32:
            return tensor
        if id(tensor) in self.beside:
            return self.beside[id(tensor)][1]
        value = tensor.numpy()
        whole = shortest(float(value)) if value.ndim == 0 else value
        return tf.constant(whole, tf.float64)

    def _again(
        self,
        kind: str,
        inputs: Sequence[Any],
        attributes: dict[str, Any],
        outputs: Sequence[Any],
    ) -> list[Any]:
        """The operation in float64, gradient included; what it gave where that cannot be had."""
        import tensorflow as tf

        if (image := resized(kind, [self._value(inputs[0]), *inputs[1:]], attributes)) is not None:
            return [image]
        double = tf.float64.as_datatype_enum
        attrs = [
            part
            for name, value in attributes.items()
            for part in (name, double if name[0] == "T" and value in (1, tf.float32) else value)
        ]
        if any(one.dtype == tf.float32 for one in inputs):
            fed = [self._value(one) for one in inputs]
            with contextlib.suppress(tf.errors.OpError, TypeError, ValueError):
                return execute(kind, len(outputs), fed, tuple(attrs))
        return [tf.cast(one, tf.float64) if one.dtype == tf.float32 else one for one in outputs]
