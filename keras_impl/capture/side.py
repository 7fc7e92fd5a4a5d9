"""A Keras model of a user's, as one side of a pair. Twin: ``torch_impl/capture/side.py``."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_impl.capture import calls
from keras_impl.capture.exact import exact
from parity.errors import ParityError
from parity.pairs.calls import Arrays, Run


class KerasSide:
    """Fulfils :class:`parity.pairs.side.Side`."""

    def __init__(self, model: Any | Callable[[], Any], dtype: str) -> None:
        """Copy the model, or build it, in ``dtype``.

        Raises:
            ParityError: it is none, its builder fails, or it cannot be had in that dtype.
        """
        self.dtype = dtype
        self.model = _model_of(model, dtype)
        self.flavour = flavour_of(self.model)
        self.framework = {"tf_keras": "Keras 2", "keras3": "Keras 3"}[self.flavour]
        self.keras = _keras(self.flavour)
        self.tf = importlib.import_module("tensorflow")
        self.made: list[calls.Made] = []
        self.places: dict[str, dict[str, Any]] = {}

    def run(
        self,
        inputs: Sequence[np.ndarray],
        own: Sequence[np.ndarray] | None = None,
        given: Mapping[int, np.ndarray] | None = None,
        training: bool = False,
    ) -> Run:
        """See :meth:`parity.pairs.side.Side.run`."""
        tensors = [self._tensor(value) for value in (inputs if own is None else own)]
        watch = calls.Watch(self.keras, self.model, given or {}, self._tensor)
        watch.feed(tensors)
        kept = [(one, one.numpy()) for one in self.model.non_trainable_variables]
        with _dtype(self.keras, self.flavour, self.dtype), watch.modules():
            try:
                fed = tensors[0] if len(tensors) == 1 else tensors
                out = self.model(fed, training=training)
            except Exception as error:
                shapes = ", ".join(str(tuple(one.shape)) for one in tensors)
                raise ParityError(
                    f"keras_model: cannot be called with inputs of shape {shapes}: "
                    f"{type(error).__name__}: {_line(error)}"
                ) from error
        for variable, value in kept if training else ():
            variable.assign(value)
        self.made = watch.made
        for call, made in zip(watch.calls, watch.made, strict=True):
            self.places[call.name] = made.weights
        try:
            return watch.run_of(out)
        except TypeError as error:
            raise ParityError(f"keras_model: its output: {error}") from error

    def set_weights(self, layer: str, values: Mapping[str, np.ndarray]) -> None:
        """See :meth:`parity.pairs.side.Side.set_weights`."""
        places = self.places[layer]
        for name, value in values.items():
            places[name].assign(value)

    def replay(self, number: int, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """See :meth:`parity.pairs.side.Side.replay`."""
        with _dtype(self.keras, self.flavour, self.dtype):
            return calls.again(self.made[number], inputs)

    def all_parameters(self) -> Arrays:
        """See :meth:`parity.pairs.side.Side.all_parameters`."""
        return {
            getattr(one, "path", one.name): np.asarray(one.numpy())
            for one in self.model.trainable_variables
        }

    def _tensor(self, value: np.ndarray) -> Any:
        value = np.asarray(value)
        return self.tf.constant(value.astype(self.dtype) if value.dtype.kind == "f" else value)


def flavour_of(model: Any) -> str:
    """``tf_keras`` or ``keras3``, by the object's classes; empty where it is no Keras model."""
    for cls in type(model).__mro__:
        name = {"tf_keras": "tf_keras", "keras": "keras3"}.get(cls.__module__.split(".")[0])
        if name and hasattr(model, "trainable_variables"):
            return name
    return ""


def _keras(flavour: str) -> Any:
    return importlib.import_module({"tf_keras": "tf_keras", "keras3": "keras"}[flavour])


def _model_of(model: Any, dtype: str) -> Any:
    if flavour_of(model):
        return _copied(model, dtype)
    if not callable(model):
        raise ParityError(
            f"keras_model: received {type(model).__name__}, accepted: a Keras model, or a function "
            "that builds one"
        )
    with contextlib.ExitStack() as stack:
        for flavour, name in (("tf_keras", "tf_keras"), ("keras3", "keras")):
            if name in sys.modules:
                stack.enter_context(_dtype(sys.modules[name], flavour, dtype))
        try:
            built = model()
        except Exception as error:
            raise ParityError(
                f"keras_model: its builder raised {type(error).__name__}: {_line(error)}"
            ) from error
    if not flavour_of(built):
        raise ParityError(
            f"keras_model: its builder returned {type(built).__name__}, accepted: a Keras model"
        )
    return built


def _copied(model: Any, dtype: str) -> Any:
    """A copy in another dtype, by way of its configuration, with the same weights.

    Raises:
        ParityError: the model does not say how it is configured.
    """
    keras = _keras(flavour_of(model))
    try:
        config = _of_dtype(model.get_config(), dtype)
        with _dtype(keras, flavour_of(model), dtype), _lambdas(keras):
            copy = type(model).from_config(config)
            if not copy.built:
                copy.build(model.input_shape)
        copy.set_weights([value.astype(dtype) for value in model.get_weights()])
    except Exception as error:
        raise ParityError(
            f"keras_model: received {type(model).__name__}, which cannot be copied as {dtype} "
            f"({type(error).__name__}: {_line(error)}), accepted: a function that builds it"
        ) from error
    return copy


def _of_dtype(config: Any, dtype: str) -> Any:
    """A configuration with every floating type replaced."""
    if isinstance(config, dict):
        return {
            key: dtype
            if key == "dtype" and isinstance(value, str) and "float" in value
            else _policy(value, dtype)
            if key == "dtype"
            else _of_dtype(value, dtype)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_of_dtype(one, dtype) for one in config)
    return config


def _policy(value: Any, dtype: str) -> Any:
    """A policy's own configuration names the type as well."""
    if not isinstance(value, dict):
        return value
    inner = value.get("config", {})
    return {**value, "config": {**inner, "name": dtype}} if "name" in inner else value


@contextlib.contextmanager
def _lambdas(keras: Any) -> Iterator[None]:
    """Lambda layers may be copied: they are the user's own, from memory and not from a file."""
    config = getattr(keras, "config", None)
    if hasattr(config, "enable_unsafe_deserialization"):
        state = importlib.import_module("keras.src.saving.serialization_lib")
        with state.SafeModeScope(safe_mode=False):
            yield
    else:
        yield


@contextlib.contextmanager
def _dtype(keras: Any, flavour: str, dtype: str) -> Iterator[None]:
    """Layers made meanwhile compute in ``dtype``."""
    before = keras.backend.floatx()
    policy = keras.config.dtype_policy() if flavour == "keras3" else None
    old = keras.mixed_precision.global_policy() if flavour == "tf_keras" else None
    keras.backend.set_floatx(dtype)
    if flavour == "keras3":
        keras.config.set_dtype_policy(dtype)
    else:
        keras.mixed_precision.set_global_policy(dtype)
    try:
        with exact(keras):
            yield
    finally:
        keras.backend.set_floatx(before)
        if flavour == "keras3":
            keras.config.set_dtype_policy(policy)
        else:
            keras.mixed_precision.set_global_policy(old)


def _line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
