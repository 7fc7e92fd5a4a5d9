"""A user's Keras model being trained. Twin: ``torch_impl/capture/trainer.py``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from keras_impl.capture import layer_state, optimizers, plain
from keras_impl.capture.errors import describe_error
from keras_impl.capture.losses import Loss
from keras_impl.capture.precision.dtypes import in_dtype
from keras_impl.capture.precision.float32_islands import Islands
from keras_impl.capture.read import weights
from keras_impl.capture.shared_draws import SharedDraws, unshared
from keras_impl.capture.watch import Watch, named_outputs
from keras_impl.private_api import decays, layers_of, rate_of
from parity.adapters.plain import PlainTraining
from parity.adapters.side import CannotRun, Side
from parity.adapters.trainer import UNOWNED, Batch, Gradients, Key, RunOptions, TrainingRun
from parity.constants import as_float32
from parity.reference.formula import Settings
from parity.reference.keras_config import schedule_of, spec_of


class Watched(Side, Protocol):
    """The model that is trained, which a side has copied and watches while it runs."""

    original: Any
    tf: Any
    keras: Any
    dtype: str
    layers: dict[str, Any]
    watch: Watch
    islands: Islands
    kept_outputs: tuple[str, ...]

    def tensor(self, value: np.ndarray) -> Any:
        """The array as a tensor, floats in the model's dtype."""

    def called_with(
        self, inputs: Sequence[np.ndarray], tensors: Sequence[Any], training: bool
    ) -> Any:
        """What the model returns for tensors in the structure of these inputs."""

    def unowned_variables(self, layers: Collection[str] = ()) -> dict[str, Any]:
        """Floating variables that none of these layers holds, by their own names."""


class KerasTrainer:
    """Fulfils :class:`parity.adapters.trainer.Trainer`."""

    def __init__(
        self, side: Watched, loss: Any, optimizer: Any, seed: int, shared_loss: bool
    ) -> None:
        """Take over the side's model.

        Args:
            side: whose model is trained; it must have run.
            loss: a name, a loss of Keras's, or a callable of (targets, outputs).
            optimizer: a name, or an optimizer, which is copied; None: no steps.
            seed: of all shared random numbers.
            shared_loss: whether PyTorch gets the same loss.

        Raises:
            ParityError: one of them is none.
        """
        self.side = side
        self.tf, self.keras = side.tf, side.keras
        self.original_optimizer = optimizer
        self.shared_loss = shared_loss
        self.seed = seed
        self._config: dict[str, Any] = {}
        with in_dtype(side.keras, side.flavour, side.dtype):
            self.loss = Loss(side.tf, side.keras, loss, side.dtype)
            self.optimizer: Any = None
            if optimizer is not None:
                self.optimizer, self._config = self._copied()
        self._round_penalties()
        self.loss_settings = self.loss.settings
        self.spec = spec_of(type(self.optimizer).__name__, self._config) if self.optimizer else None
        self.schedule = schedule_of(self._config)
        self.first = [(one, weights.array_of(one)) for one in side.model.variables]
        self.unshared: list[str] = []
        self.last_penalty = 0.0
        self.unowned: dict[Key, Any] = {}
        self._found: dict[Key, Any] = {}
        self._layers_then = -1

    def start(self) -> None:
        """See :meth:`parity.adapters.trainer.Trainer.start`."""
        for variable, value in self.first:
            if not np.may_share_memory(weights.array_of(variable), value):  # it has moved
                variable.assign(value)
        layer_state.reset(self.side.model)
        if self.original_optimizer is not None:
            with in_dtype(self.keras, self.side.flavour, self.side.dtype):
                self.optimizer, _ = self._copied()

    def _copied(self) -> tuple[Any, dict[str, Any]]:
        """A copy of the user's optimizer, and its configuration."""
        given: Sequence[Any] = ()
        if not isinstance(self.side.original, type):
            with contextlib.suppress(ValueError):  # it has no weights yet
                given = getattr(self.side.original, "variables", ())
        copies = list(zip(given, self.side.model.variables, strict=False))
        return optimizers.users(self.keras, self.original_optimizer, copies)

    def keep(self) -> None:
        """See :class:`parity.adapters.trainer.Trainer`: TensorFlow changes no array in place."""

    def count_in(self, names: Sequence[str]) -> None:
        """See :meth:`parity.adapters.trainer.Trainer.count_in`."""
        held = self.side.unowned_variables()
        self.unowned = {(name, UNOWNED): held[name] for name in names}
        self._layers_then = -1

    def write(self, key: Key, value: np.ndarray) -> None:
        """See :meth:`parity.adapters.trainer.Trainer.write`."""
        if key in self.unowned:
            self.side.set_unowned_parameters({key[0]: value})
        else:
            self.side.set_weights(key[0], {key[1]: value})

    def run(
        self, batch: Batch, step: int, substitutes: Mapping[int, np.ndarray] | None = None
    ) -> TrainingRun:
        """See :meth:`parity.adapters.trainer.Trainer.run`."""
        options = batch.keras_options
        draws = self._draws(options, step, None, lambda: self.side.islands.pause())
        promote = options.promote_to_float64
        with draws.layers(self.side.flavour == "tf_keras"):
            found = self.side.run(batch.inputs, None, substitutes, True, promote)
        self.unshared = unshared(self.side.model, draws.reached)
        layouts = tuple(draws.channels_first)
        return TrainingRun(found, tuple(draws.calls), layouts, draws.normals, draws.masks)

    def _draws(
        self,
        options: RunOptions,
        step: int,
        layouts: Sequence[bool] | None,
        paused: Callable[[], contextlib.AbstractContextManager[None]],
    ) -> SharedDraws:
        model = self.side.model
        return SharedDraws(
            self.tf, model, options.names, layouts, self.seed, step, self._watched, paused
        )

    def _watched(self, tensor: Any, layer: Any) -> tuple[int, bool]:
        watch = self.side.watch
        return len(watch.calls), watch.first([tensor], layer)

    def gradients(
        self, batch: Batch, step: int, only: Collection[Key] | None = None
    ) -> tuple[float, Gradients]:
        """See :meth:`parity.adapters.trainer.Trainer.gradients`."""
        model = self.side.model
        tensors = [self.side.tensor(value) for value in batch.inputs]
        keys = {key: one for key, one in self._variables().items() if only is None or key in only}
        wanted = {id(one) for one in keys.values()}
        variables = [one for one in model.trainable_variables if id(one) in wanted]
        promote = batch.keras_options.promote_to_float64 or self.side.promote_to_float64
        islands = Islands(promote)
        layouts = batch.keras_options.layouts or ()
        draws = self._draws(batch.keras_options, step, layouts, islands.pause)
        with in_dtype(self.keras, self.side.flavour, self.side.dtype):
            with self.tf.GradientTape() as tape:
                with draws.layers(self.side.flavour == "tf_keras"), _promoted(islands):
                    out = self.side.called_with(batch.inputs, tensors, True)
                with (
                    contextlib.nullcontext()
                    if self.loss.settings
                    else _promoted(Islands(islands.promote_to_float64))
                ):
                    loss = self.loss_of(out, batch)
                own = () if batch.keras_options.without_penalties else model.losses
                penalties = [self.tf.cast(one, loss.dtype) for one in own]
                total = self.tf.add_n([loss, *penalties])
            try:
                found = tape.gradient(total, [_value(one) for one in variables])
            except Exception as error:
                raise CannotRun(
                    f"keras_model: its gradients cannot be computed: {describe_error(error)}"
                ) from error
        self.last_penalty = float(sum(float(one) for one in penalties))
        by_id = {
            id(variable): weights.array_of(value)
            for variable, value in zip(variables, found, strict=True)
            if value is not None
        }
        own = {
            key: self._canonical(key, by_id[id(variable)])
            for key, variable in keys.items()
            if id(variable) in by_id
        }
        return float(total), own

    @contextlib.contextmanager
    def from_here(self) -> Iterator[None]:
        """Meanwhile :meth:`start` restores the weights that the model has now."""
        before = self.first
        self.first = [(one, np.array(weights.array_of(one))) for one in self.side.model.variables]
        try:
            yield
        finally:
            self.start()
            self.first = before

    def plain(self, batch: Batch, steps: int) -> PlainTraining:
        """See :meth:`parity.adapters.trainer.Trainer.plain`."""
        with self.from_here():
            return plain.training(self, batch, steps)

    def penalties(self) -> dict[str, dict[str, Any]]:
        """See :meth:`parity.adapters.trainer.KerasTrainer.penalties`."""
        return {place: one.get_config() for place, one in self._regularizers()}

    def _regularizers(self) -> Iterator[tuple[str, Any]]:
        """The model's own penalties, by layer and what they are on."""
        for layer in layers_of(self.side.model, include_self=True):
            for name, value in vars(layer).items():
                if name.endswith("_regularizer") and hasattr(value, "get_config"):
                    yield f"{layer.name}.{name.strip('_').removesuffix('_regularizer')}", value

    def _round_penalties(self) -> None:
        """Give penalties the factors that they have in float32, which the model's owner runs."""
        for _, one in self._regularizers():
            for name in ("l1", "l2"):
                if hasattr(one, name):
                    setattr(one, name, as_float32(float(getattr(one, name))))

    def penalty(self) -> float:
        """See :meth:`parity.adapters.trainer.KerasTrainer.penalty`."""
        return self.last_penalty

    def loss_of(self, out: Any, batch: Batch) -> Any:
        """The loss of the model's output, without penalties."""
        named = dict(named_outputs(out))
        outputs = [named[name] for name in self.side.kept_outputs or named]
        targets = [self.side.tensor(value) for value in batch.targets]
        return self.loss.of(outputs, targets, self.shared_loss, out)

    def apply(self, gradients: Gradients) -> None:
        """See :meth:`parity.adapters.trainer.Trainer.apply`."""
        trained = {id(variable) for variable in self.side.model.trainable_variables}
        variables = {id(one): (key, one) for key, one in self._variables().items()}
        pairs = [
            (self.side.tensor(gradients[key].reshape(variable.shape)), variable)
            for number, (key, variable) in variables.items()
            if number in trained and key in gradients
        ]
        with in_dtype(self.keras, self.side.flavour, self.side.dtype):
            if not pairs:  # Keras 3 raises an error then
                return
            try:
                self.optimizer.apply_gradients(pairs)
            except Exception as error:
                raise CannotRun(
                    f"optimizer: Keras's cannot make a step: {describe_error(error)}"
                ) from error

    def weights(self) -> dict[Key, np.ndarray]:
        """See :meth:`parity.adapters.trainer.Trainer.weights`."""
        return {key: self._canonical(key, one) for key, one in self._variables().items()}

    @property
    def loss_in_float32(self) -> bool:
        """See :class:`parity.adapters.trainer.Trainer`."""
        return self.loss.in_float32

    def carried(self) -> list[str]:
        """See :meth:`parity.adapters.trainer.Trainer.carried`."""
        return layer_state.stateful(self.side.model)

    def settings_of(self, key: Key) -> Settings | None:
        """See :meth:`parity.adapters.trainer.Trainer.settings_of`."""
        if self.spec is None:
            return None
        values: dict[str, Any] = {**self.spec.constants(), "centered": bool(self.spec.centered)}
        values["flavour"] = self.side.flavour
        if not decays(self.optimizer, self._variables()[key]):
            values["weight_decay"] = 0.0
        return Settings(f"keras.{self.spec.name}", values)

    def rate(self) -> float:
        """See :meth:`parity.adapters.trainer.KerasTrainer.rate`."""
        own = self.optimizer
        rate = rate_of(own, self.side.dtype)
        if isinstance(rate, self.keras.optimizers.schedules.LearningRateSchedule):
            rate = rate(own.iterations)
        return float(rate() if callable(rate) else rate)

    def first_of(self, key: Key) -> np.ndarray:
        """See :meth:`parity.adapters.trainer.KerasTrainer.first_of`."""
        variable = self._variables()[key]
        value = next(value for one, value in self.first if one is variable)
        return self._canonical(key, value)

    def frozen(self, key: Key) -> bool:
        """See :meth:`parity.adapters.trainer.Trainer.frozen`."""
        trained = {id(variable) for variable in self.side.model.trainable_variables}
        return id(self._variables()[key]) not in trained

    def _canonical(self, key: Key, value: Any) -> np.ndarray:
        if key in self.unowned:
            return weights.array_of(value)
        return weights.value_of(self.side.layers[key[0]], key[1], value)

    def _variables(self) -> dict[Key, Any]:
        if self._layers_then == len(self.side.layers):
            return self._found
        self._layers_then = len(self.side.layers)
        known = {id(one) for one in self.unowned.values()}
        self._found = {
            (name, own): variable
            for name, layer in self.side.layers.items()
            if hasattr(layer, "weights")
            for own, variable in weights.of_module(layer).items()
            if id(variable) not in known
        } | self.unowned
        return self._found


def _promoted(islands: Islands) -> contextlib.AbstractContextManager[None]:
    """What is computed in float32 meanwhile is computed in float64, if the islands are to be."""
    return islands.followed() if islands.promote_to_float64 else contextlib.nullcontext()


def _value(variable: Any) -> Any:
    """TensorFlow's own variable."""
    return getattr(variable, "value", variable) if hasattr(variable, "path") else variable
