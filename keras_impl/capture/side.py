"""A Keras model of a user's, as one side of a pair. Twin: ``torch_impl/capture/side.py``."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_impl.capture import clone, files, layer_state, plain
from keras_impl.capture import watch as calls
from keras_impl.capture.errors import describe_error
from keras_impl.capture.precision.dtypes import in_dtype
from keras_impl.capture.precision.float32_islands import Islands
from keras_impl.capture.read import weights
from keras_impl.capture.trainer import KerasTrainer
from keras_impl.private_api import lambdas_allowed
from parity.adapters.backend import require
from parity.adapters.calls import Arrays, Run
from parity.adapters.heads import Heads, with_heads
from parity.adapters.inputs import arguments, filled
from parity.adapters.side import CannotRun
from parity.errors import ParityError, format_shapes
from parity.reference.formula import Settings
from parity.system.quiet import suppress_stderr


class KerasSide:
    """Fulfils :class:`parity.adapters.side.Side`."""

    suffixes: tuple[str, ...] = files.SUFFIXES

    @staticmethod
    def seed(number: int) -> None:
        """See :meth:`parity.adapters.side.Side.seed`: of the Keras packages that are imported."""
        for name in MODULES.values():
            if name in sys.modules:
                sys.modules[name].utils.set_random_seed(number % 2**32)

    @staticmethod
    def dtype_of(path: Path) -> str:
        """See :meth:`parity.adapters.side.Side.dtype_of`."""
        return files.dtype_of(path)

    @staticmethod
    def start() -> None:
        """See :meth:`parity.adapters.side.Side.start`."""
        require("tensorflow", "keras_impl", "keras")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        with suppress_stderr():
            importlib.import_module("tensorflow")
        for name in ("tensorflow", "absl"):
            logging.getLogger(name).setLevel(logging.ERROR)

    def __init__(
        self, model: Any | Callable[[], Any], dtype: str, heads: Heads | None = None
    ) -> None:
        """Copy the model, or build it, in ``dtype``; if it cannot be copied, take one that has it.

        Raises:
            ParityError: it is none, its builder fails, or it cannot be had in that dtype.
        """
        self.dtype = dtype
        self.heads = heads or {}
        self.original = model
        self.model = _model_of(model, dtype)
        self.flavour = flavour_of(self.model)
        self.framework = {"tf_keras": "Keras 2", "keras3": "Keras 3"}[self.flavour]
        self.keras = _keras(self.flavour)
        self.tf = importlib.import_module("tensorflow")
        self.layers: dict[str, Any] = {}
        self.own_calls: dict[int, bool] = {}
        self.channels_first: frozenset[int] = frozenset()  # places of inputs
        self.moved: list[str] = []  # names of the outputs that are channels-first
        self.kept_outputs: tuple[str, ...] = ()
        self.called = False  # whether it has run before
        self.promote_to_float64 = False
        self.islands = Islands(False)  # of the last run
        self.forget()

    def forget(self) -> None:
        """See :meth:`parity.adapters.side.Side.forget`."""
        self.watch = calls.Watch(self.keras, self.model, {}, self.tensor)
        self.made: list[calls.Invocation] = []

    def run(
        self,
        inputs: Sequence[np.ndarray],
        torch_inputs: Sequence[np.ndarray] | None = None,
        substitutes: Mapping[int, np.ndarray] | None = None,
        training: bool = False,
        promote_to_float64: bool = False,
    ) -> Run:
        """See :meth:`parity.adapters.side.Side.run`."""
        self.forget()
        fed = inputs if torch_inputs is None else torch_inputs
        tensors = [self.tensor(value) for value in fed]
        self.islands = Islands(promote_to_float64 or self.promote_to_float64)
        watch = self.watch = calls.Watch(
            self.keras,
            self.model,
            substitutes or {},
            self.tensor,
            self.islands if self.dtype == "float64" else None,
            self.own_calls,
            training,
        )
        watch.feed(tensors, self.channels_first)
        given_as = inputs if torch_inputs is None else torch_inputs
        with in_dtype(self.keras, self.flavour, self.dtype):
            try:
                if not self.called and layer_state.own_code(self.model):
                    self.called_with(
                        given_as, tensors, False
                    )  # what it caches is the same from now on
                self.called = True
                layer_state.reset(self.model)
                with layer_state.variables_kept(self.model), watch.modules():
                    out = self.called_with(given_as, tensors, training)
            except Exception as error:
                raise CannotRun(
                    f"keras_model: cannot be called with inputs of shape {format_shapes(tensors)}: "
                    f"{describe_error(error)}"
                ) from error
        self.made = watch.made
        for call, made in zip(watch.calls, watch.made, strict=True):
            self.layers[call.name] = made.target
        try:
            found = replace(watch.run_of(out), computed_in_float32=self.islands.rounded)
        except TypeError as error:
            raise ParityError(f"keras_model: its output: {error}") from error
        if found.channels_first - self.channels_first:  # layers upstream did not know it
            self.channels_first |= found.channels_first
            return self.run(inputs, torch_inputs, substitutes, training, promote_to_float64)
        self.moved = [*found.native_layout]
        return with_heads(found.with_only(self.kept_outputs), self.heads, substitutes)

    def called_with(
        self, inputs: Sequence[np.ndarray], tensors: Sequence[Any], training: bool
    ) -> Any:
        """What the model returns for tensors in the structure of these inputs."""
        structure = filled(inputs, tensors)
        names, required = clone.own_call(self.model)
        if structure is None:
            if min(required, len(tensors)) < 2:
                fed = tensors[0] if len(tensors) == 1 else list(tensors)
                return self.model(fed, training=training)
            structure = list(tensors)
        args, kwargs = arguments(structure, names, False)
        if kwargs:  # Keras wants the first argument in its place
            first = next((one for one in names if one in kwargs), "")
            args = (kwargs[first],)
            kwargs = {name: value for name, value in kwargs.items() if name != first}
        return self.model(*args, training=training, **kwargs)

    def follow_layout(self, run: Run) -> None:
        """See :meth:`parity.adapters.side.Side.follow_layout`: that is its own."""

    def plain(self, inputs: Sequence[np.ndarray], own: Sequence[np.ndarray] | None = None) -> Run:
        """See :meth:`parity.adapters.side.Side.plain`."""
        tensors = [self.tensor(value) for value in (inputs if own is None else own)]
        with in_dtype(self.keras, self.flavour, self.dtype):
            layer_state.reset(self.model)
            with layer_state.variables_kept(self.model):
                given_as = inputs if own is None else own
                found = plain.outputs(
                    lambda: self.called_with(given_as, tensors, False), self.moved, self.heads
                )
                return found.with_only(self.kept_outputs)

    def set_weights(self, layer: str, values: Mapping[str, np.ndarray]) -> None:
        """See :meth:`parity.adapters.side.Side.set_weights`."""
        self._refuse_own("weights: received 'torch'", "keras, as-is")
        places = weights.of_module(self.layers[layer])
        for name, value in values.items():
            if not hasattr(places[name], "assign"):
                raise ParityError(
                    f"weights: received 'torch', but {layer} computes its {name}, "
                    "accepted: keras, as-is"
                )
            places[name].assign(np.reshape(value, places[name].shape))

    def replay(self, number: int, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """See :meth:`parity.adapters.side.Side.replay`."""
        with in_dtype(self.keras, self.flavour, self.dtype):
            return calls.replay(self.made[number], inputs)

    def all_parameters(self) -> Arrays:
        """See :meth:`parity.adapters.side.Side.all_parameters`."""
        return {
            getattr(one, "path", one.name): weights.array_of(one)
            for one in self.model.trainable_variables
        }

    def load(self, path: Path) -> None:
        """See :meth:`parity.adapters.side.Side.load`."""
        files.load(self.model, path)

    def save(self, path: Path) -> None:
        """See :meth:`parity.adapters.side.Side.save`."""
        files.save(self.model, path)

    def weights_without_layer(self) -> list[str]:
        """See :meth:`parity.adapters.side.Side.weights_without_layer`."""
        return [*self.unowned_variables(self.layers)]

    def unowned_parameters(self, layers: Collection[str]) -> Arrays:
        """See :meth:`parity.adapters.side.Side.unowned_parameters`."""
        return {name: weights.array_of(one) for name, one in self.unowned_variables(layers).items()}

    def set_unowned_parameters(self, values: Mapping[str, np.ndarray]) -> None:
        """See :meth:`parity.adapters.side.Side.set_unowned_parameters`."""
        if values:
            self._refuse_own("weights: received 'torch'", "keras, as-is")
        held = self.unowned_variables()
        for name, value in values.items():
            held[name].assign(value)

    def _refuse_own(self, received: str, accepted: str) -> None:
        """Refuse to change the user's own model, which could not be copied."""
        if self.model is self.original:
            raise ParityError(
                f"{received}, but {type(self.model).__name__} cannot be copied, "
                f"accepted: {accepted}, or a function that builds the model"
            )

    def unowned_variables(self, layers: Collection[str] = ()) -> dict[str, Any]:
        """Floating variables that none of these layers holds."""
        known = [self.layers[name] for name in layers if name in self.layers]
        holding = [one for one in known if hasattr(one, "weights")]
        seen = {id(own) for layer in holding for own in weights.held_by(layer)}
        return {
            getattr(one, "path", one.name): one
            for one in self.model.weights
            if "float" in str(one.dtype) and id(one) not in seen
        }

    def trainer(
        self,
        loss: Any,
        optimizer: Any,
        seed: int,
        flavour: str,
        *,
        shared_loss: bool = False,
        schedule: Settings | None = None,
    ) -> KerasTrainer:
        """See :meth:`parity.adapters.side.Side.trainer`."""
        self._refuse_own("loss: received one", "none")
        return KerasTrainer(self, loss, optimizer, seed, shared_loss)

    def tensor(self, value: np.ndarray) -> Any:
        """Floats in the model's dtype, whole numbers as they are."""
        value = np.asarray(value)
        return self.tf.constant(value.astype(self.dtype) if value.dtype.kind == "f" else value)


def flavour_of(model: Any) -> str:
    """``tf_keras`` or ``keras3``, by the object's classes; empty where it is no Keras model."""
    for cls in type(model).__mro__:
        name = {"tf_keras": "tf_keras", "keras": "keras3"}.get(cls.__module__.split(".")[0])
        if name and hasattr(type(model), "trainable_variables"):
            return name
    return ""


def _keras(flavour: str) -> Any:
    return importlib.import_module(MODULES[flavour])


def _model_of(model: Any, dtype: str) -> Any:
    if flavour_of(model):
        return _copied(model, dtype)
    if not callable(model):
        raise ParityError(
            f"keras_model: received {type(model).__name__}, accepted: a Keras model, or a function "
            "that builds one"
        )
    built, before = _built(model, dtype)
    if flavour_of(built) in ("tf_keras", "keras3") and MODULES[flavour_of(built)] not in before:
        built, _ = _built(
            model, dtype
        )  # Keras was imported by the first call, too late to set the dtype
    if not flavour_of(built):
        raise ParityError(
            f"keras_model: its builder returned {type(built).__name__}, accepted: a Keras model"
        )
    kinds = {str(getattr(one.dtype, "name", one.dtype)) for one in _weights(built)}
    if {one for one in kinds if "float" in one} - {dtype}:  # it does not follow floatx
        return _copied(built, dtype)
    return built


MODULES = {"tf_keras": "tf_keras", "keras3": "keras"}
"""Flavour to the package."""


def _built(builder: Callable[[], Any], dtype: str) -> tuple[Any, list[str]]:
    """What a function builds in a dtype, and the Keras versions whose dtype could be set."""
    with contextlib.ExitStack() as stack:
        found = {name: flavour for flavour, name in MODULES.items() if name in sys.modules}
        for name, flavour in found.items():
            stack.enter_context(in_dtype(sys.modules[name], flavour, dtype))
        try:
            return builder(), [*found]
        except ParityError:
            raise
        except Exception as error:
            raise CannotRun(f"keras_model: its builder raised {describe_error(error)}") from error


def _copied(model: Any, dtype: str) -> Any:
    """A copy in another dtype, by way of its configuration, with the same weights.

    Raises:
        ParityError: the model has no usable configuration.
    """
    keras = _keras(flavour_of(model))
    try:
        config = _of_dtype(model.get_config(), dtype)
        own = keras.utils.custom_object_scope(clone.own_objects(model))
        functions = clone.own_functions(keras, model)
        with in_dtype(keras, flavour_of(model), dtype), lambdas_allowed(keras), own, functions:
            copy = type(model).from_config(config)
            clone.restore(copy, model)
            if len(_weights(copy)) != len(_weights(model)):
                clone.build_like(copy, model, dtype)
        for own, other in zip(_weights(copy), _weights(model), strict=True):
            value = weights.array_of(other)
            own.assign(value.astype(dtype) if value.dtype.kind == "f" else value)
        clone.settle(copy)
    except Exception as error:
        if getattr(model, "dtype", "float32") == dtype:
            return model
        raise CannotRun(
            f"keras_model: received {type(model).__name__}, which cannot be copied as {dtype} "
            f"({describe_error(error)}), accepted: a function that builds it"
        ) from error
    return copy


def _weights(model: Any) -> list[Any]:
    """None of a model that is not built yet, where Keras 2 raises an error."""
    try:
        return list(model.weights)
    except ValueError:
        return []


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
