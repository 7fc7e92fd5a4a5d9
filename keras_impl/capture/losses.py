"""The loss of a user's Keras model. Twin: ``torch_impl/capture/losses.py``."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from keras_impl.capture.errors import describe_error
from keras_impl.private_api import function_arguments
from parity.errors import ParityError, format_shapes
from parity.reference.formula import Settings
from parity.reference.keras_config import loss_class


class Loss:
    """Of a model's outputs and targets, as Keras takes them.

    Args:
        tf: the TensorFlow module.
        keras: the Keras module; made while it computes in ``dtype``.
        loss: a name, a loss of Keras's, or a callable of (targets, outputs).
        dtype: of the model.

    Attributes:
        settings: of a loss of Keras's own; None of the user's.
        in_float32: whether the last loss was computed in float32, as it cannot be in the dtype.

    Raises:
        ParityError: it is none of these.
    """

    def __init__(self, tf: Any, keras: Any, loss: Any, dtype: str) -> None:
        self.tf, self.dtype = tf, dtype
        self.in_float32 = False
        self.settings: Settings | None = None
        if isinstance(loss, str):
            self.settings = Settings(loss_class(loss), {})
            if not hasattr(keras.losses, self.settings.kind):
                raise ParityError(
                    f"loss: received {loss!r}, accepted: a loss that {keras.__name__} has"
                )
        elif isinstance(loss, keras.losses.Loss):
            if vars(keras.losses).get(type(loss).__name__) is type(loss):
                self.settings = Settings(type(loss).__name__, _config(loss))
        elif not callable(loss):
            raise ParityError(
                f"loss: received {type(loss).__name__} for Keras, accepted: a name, a loss of "
                "Keras's, or a callable of (targets, outputs)"
            )
        if self.settings is not None:
            loss = getattr(keras.losses, self.settings.kind)(**self.settings.values)
        self.function: Callable[..., Any] = loss

    def of(
        self, outputs: Sequence[Any], targets: Sequence[Any], shared: bool, out: Any = None
    ) -> Any:
        """The number, without axes; that of several outputs is their sum, or as the user has it.

        Args:
            outputs: of the model.
            targets: one for each, or as the user's loss takes them.
            shared: whether PyTorch has the same loss, which is then of each output alone.
            out: what the model returned, if the user's loss may take its parts by name.

        Raises:
            ParityError: it cannot be had.
        """
        try:
            loss = self._loss(outputs, targets, shared, out)
            self.in_float32 = False
        except Exception as error:
            loss = None if self.dtype == "float32" else self._in_float32(outputs, targets, shared)
            if loss is None:
                raise ParityError(
                    f"loss: Keras's cannot be called with outputs of shape "
                    f"{format_shapes(outputs)} and targets of shape {format_shapes(targets)}: "
                    f"{describe_error(error)}"
                ) from error
        return self.tf.reduce_mean(loss) if len(loss.shape) else loss

    def _in_float32(self, outputs: Sequence[Any], targets: Sequence[Any], shared: bool) -> Any:
        """The loss of everything in float32; None where that cannot be had either."""

        def single(tensors: Sequence[Any]) -> list[Any]:
            floats = (one.dtype.is_floating for one in tensors)
            both = zip(tensors, floats, strict=True)
            return [self.tf.cast(one, "float32") if is_float else one for one, is_float in both]

        with contextlib.suppress(Exception):
            loss = self._loss(single(outputs), single(targets), shared)
            self.in_float32 = True
            return loss
        return None

    def _loss(
        self, outputs: Sequence[Any], targets: Sequence[Any], shared: bool, out: Any = None
    ) -> Any:
        if shared:
            # the identity hides a softmax that Keras would otherwise undo
            both = zip(targets, outputs, strict=True)
            loss = self.tf.add_n([self.function(own, self.tf.identity(one)) for own, one in both])
        else:
            loss = None
            if out is not None and not hasattr(out, "numpy"):
                with contextlib.suppress(Exception):
                    loss = self.function(_one(targets), out)
            if loss is None:
                loss = self.function(_one(targets), _one(outputs))
        return self.tf.cast(self.tf.convert_to_tensor(loss), self.dtype)


def _config(loss: Any) -> dict[str, Any]:
    """What makes another one of it; Keras 3 leaves some arguments out of its configuration."""
    left = ("name", "dtype", "fn")
    accepted = inspect.signature(type(loss).__init__).parameters
    kept = {name: value for name, value in function_arguments(loss).items() if name in accepted}
    config = {name: value for name, value in loss.get_config().items() if name not in left}
    config = {**kept, **config}
    if config.get("reduction") == "auto":
        config["reduction"] = "sum_over_batch_size"
    return config


def _one(tensors: Sequence[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else list(tensors)
