"""A classifier with its optimizer: chunks of steps in one compiled function.

Twin: ``torch_impl/ladder/training.py``. Deliberate differences: here the loop over a
chunk's steps is a graph, there it is Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_impl.framework import FLAVOUR, tf
from keras_impl.ladder.network import Network, gradients_of, graph
from keras_impl.ladder.state import restore, state_of
from keras_impl.parts.callbacks import Callbacks, Watched
from keras_impl.parts.layers import unroll
from keras_impl.parts.optimizers import initial_state, optimizer_for, slots
from parity.adapters.state import State
from parity.data.batches import Chunk, steps_per_epoch
from parity.data.datasets import Split
from parity.reference.optimizers.spec import AVERAGE
from parity.specs.run import Spec

LONG_EPOCH = 100
"""Steps per epoch from which a graph that takes a second longer to build is worthwhile."""

UNROLLED = 64
"""Sequence steps up to which recurrent layers are unrolled in such a graph."""


class KerasModel(Network):
    """Implements :class:`parity.adapters.backend.Model`."""

    def __init__(self, model: Any, spec: Spec, dtype: str, device: str) -> None:
        super().__init__(model, spec, dtype, device)
        self.optimizer = optimizer_for(spec.optimizer, spec.schedule)
        self.optimizer.build(model.trainable_variables)
        self.initial_state = initial_state(self.optimizer)
        self.null: frozenset[str] = frozenset()
        self.callbacks = self._callbacks()
        self.long = False
        self._compile()

    def _compile(self) -> None:
        """Choose how steps are compiled; the graphs are built when chunks arrive.

        In short epochs one graph serves every batch size. In long ones a graph serves one size:
        TensorFlow then knows what is broadcast, and need not check it at every step of a recurrent
        layer. XLA compiles the optimizer into one kernel, and the whole step if all layers are
        dense: its convolutions and loops are slower than TensorFlow's on a CPU.
        """
        dense = getattr(self.model, "all_dense", False)
        self._learn, self._apply = self._descend, self._update
        if self.long and dense:
            self._learn = graph(self._descend, jit_compile=True)
        elif self.long:
            self._apply = graph(self._update, jit_compile=True)
        if self.long and self.spec.model.input_shape[0] <= UNROLLED:
            for layer in getattr(self.model, "rnn", ()):
                unroll(layer)
        self._graphs: dict[int | None, Any] = {}
        held, one = self._fed(None)
        self._one_step = graph(self._step, (held, tf.TensorSpec((None,), tf.int64), one))
        self._rate = graph(self._learning_rate, ())

    def _fed(self, batch: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Shapes of the examples in memory, and of the random draws of a step of ``batch``."""
        numbers, shape = tf.TensorSpec((None,), tf.int64), (None, *self.spec.model.input_shape)
        held = {"input": tf.TensorSpec(shape, self.dtype), "labels": numbers}
        if getattr(self.model, "variable_length", False):
            held["lengths"] = numbers
        draws = self.spec.model.draws().items()
        return held, {n: tf.TensorSpec((batch, *draw.shape), draw.dtype) for n, draw in draws}

    def _steps(self, held: Any, order: Any, keep: dict[str, Any]) -> Any:
        """The losses of a chunk's steps."""
        batch = int(order.shape[1]) if self.long else None
        if batch not in self._graphs:
            shapes, one = self._fed(batch)
            drawn = {n: tf.TensorSpec((None, *mask.shape), mask.dtype) for n, mask in one.items()}
            numbers = tf.TensorSpec((None, batch), tf.int64)
            self._graphs[batch] = graph(self._run_steps, (shapes, numbers, drawn))
        return self._graphs[batch](held, order, keep)

    def ignore_gradients(self, parameters: frozenset[str]) -> None:
        """See :meth:`parity.adapters.backend.Model.ignore_gradients`."""
        self.null = parameters
        self._compile()  # the graph contains which gradients are zero

    def _without_null_gradients(self, gradients: list[Any]) -> list[Any]:
        names = self.trained_names()
        return [
            tf.zeros_like(gradient) if name in self.null else gradient
            for name, gradient in zip(names, gradients, strict=True)
        ]

    def feed(self, examples: Split) -> None:
        """See :meth:`parity.adapters.backend.Model.feed`."""
        self.mapped = examples if isinstance(examples.x, np.memmap) else None
        if self.mapped is None:
            self._hold(examples)
        self.long = steps_per_epoch(self.spec.training, len(examples.x)) >= LONG_EPOCH
        self._compile()

    def _hold(self, examples: Split) -> None:
        with tf.device(self.device):
            self.held = {"input": self._tensor(examples.x), "labels": tf.constant(examples.y)}
            if getattr(self.model, "variable_length", False):
                self.held["lengths"] = tf.constant(examples.lengths)

    def _in_memory(self, chunk: Chunk) -> Chunk:
        """The chunk, after loading its examples if they are mapped from a file."""
        if self.mapped is None:
            return chunk
        examples, chunk = chunk.load_examples(self.mapped)
        self._hold(examples)
        return chunk

    def train(self, chunk: Chunk) -> np.ndarray:
        """See :meth:`parity.adapters.backend.Model.train`."""
        chunk = self._in_memory(chunk)
        with tf.device(self.device):
            keep = {name: tf.constant(mask) for name, mask in chunk.keep.items()}
            return self._steps(self.held, tf.constant(chunk.order), keep).numpy()

    def train_watched(self, chunk: Chunk) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """See :meth:`parity.adapters.backend.Model.train_watched`."""
        chunk = self._in_memory(chunk)
        with tf.device(self.device):
            keep = {name: tf.constant(mask[0]) for name, mask in chunk.keep.items()}
            loss, fed = self._one_step(self.held, tf.constant(chunk.order[0]), keep)
            return loss.numpy()[None], {name: value.numpy() for name, value in fed.items()}

    def _run_steps(self, held: dict[str, Any], order: Any, keep: dict[str, Any]) -> Any:
        steps = tf.shape(order)[0]

        def body(step: Any, losses: Any) -> tuple[Any, Any]:
            masks = {name: mask[step] for name, mask in keep.items()}
            loss, _ = self._step(held, order[step], masks)
            return step + 1, losses.write(step, loss)

        losses = tf.TensorArray(self.dtype, size=steps)
        _, losses = tf.while_loop(
            lambda step, _: step < steps, body, (0, losses), parallel_iterations=1
        )
        return losses.stack()

    def _step(self, held: Any, picked: Any, keep: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """One optimizer step: its loss and its inputs."""
        fed = {name: tf.gather(values, picked) for name, values in held.items()}
        loss = self._learn(fed["input"], fed["labels"], fed.get("lengths"), keep)
        return loss, fed | {f"{name}/mask": mask for name, mask in keep.items()}

    def _descend(self, x: Any, y: Any, lengths: Any, keep: dict[str, Any]) -> Any:
        """Update the weights with the gradients of a batch; return its loss."""
        with tf.GradientTape() as tape:
            loss = self._loss(x, y, lengths, keep)
        gradients = gradients_of(tape, loss, self.model.trainable_variables)
        self._apply(self._without_null_gradients(gradients))
        return loss

    def _update(self, gradients: list[Any]) -> None:
        trained = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(gradients, trained, strict=True))

    def slots(self) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.slots`."""
        return {name: variable.numpy() for name, variable in self.slot_variables().items()}

    def slot_variables(self) -> dict[str, Any]:
        """The optimizer's variables by ``slot/parameter``."""
        names = self.trained_names()
        return {
            f"{slot}/{name}": variable
            for slot, variables in slots(self.optimizer, self.spec.optimizer).items()
            for name, variable in zip(names, variables, strict=True)
        }

    def _callbacks(self) -> Callbacks:
        watched = Watched(self.optimizer, self.weights, self.set_weights)
        return Callbacks(self.spec.callbacks, watched)

    def learning_rate(self) -> float:
        """See :meth:`parity.adapters.backend.Model.learning_rate`."""
        return float(self._rate())

    def _learning_rate(self) -> Any:
        """The current rate; compiled, because the last bit of a schedule's rate depends on it."""
        rate = self.optimizer._learning_rate
        scheduled = self.spec.schedule.name != "constant"
        return rate(self.optimizer._iterations) if scheduled else tf.convert_to_tensor(rate)

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> bool:
        """See :meth:`parity.adapters.backend.Model.epoch_end`."""
        return self.callbacks.epoch_end(epoch, logs)

    def finish(self) -> None:
        """See :meth:`parity.adapters.backend.Model.finish`."""
        self.optimizer.finalize_variable_values(self.model.trainable_variables)
        self.callbacks.end()

    def reset_optimizer(self) -> None:
        """See :meth:`parity.adapters.backend.Model.reset_optimizer`."""
        self.callbacks = self._callbacks()
        for variable, value in self.initial_state:
            variable.assign(value)
        if FLAVOUR == "tf_keras":  # where an average starts at the weights
            averages = slots(self.optimizer, self.spec.optimizer).get(AVERAGE, [])
            for average, weight in zip(averages, self.model.trainable_variables, strict=False):
                average.assign(weight)

    def state(self) -> State:
        """See :meth:`parity.adapters.backend.Model.state`."""
        return state_of(self)

    def restore(self, state: State) -> None:
        """See :meth:`parity.adapters.backend.Model.restore`."""
        restore(self, state)
