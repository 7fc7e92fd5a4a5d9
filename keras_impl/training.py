"""A classifier with its optimizer: whole chunks of steps in one compiled function.

Twin: ``torch_impl/training.py``. Deliberate differences: here the loop over a chunk's steps is a
graph, there it is Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_impl.callbacks import Callbacks, Watched
from keras_impl.framework import FLAVOUR, tf
from keras_impl.network import Network, gradients_of
from keras_impl.optimizers import initial_state, optimizer_for, slots
from keras_impl.state import restore, state_of
from parity.batches import Chunk, steps_per_epoch
from parity.checkpoint import State
from parity.data import Split
from parity.optimizers.spec import AVERAGE
from parity.specs.run import Spec

LONG_EPOCH = 100
"""Steps in an epoch from which on XLA's compiling, about a second, is soon won back."""


class KerasModel(Network):
    """Fulfils :class:`parity.backend.Model`."""

    def __init__(self, model: Any, spec: Spec, dtype: str, device: str) -> None:
        super().__init__(model, spec, dtype, device)
        self.optimizer = optimizer_for(spec.optimizer, spec.schedule)
        self.optimizer.build(model.trainable_variables)
        self.initial_state = initial_state(self.optimizer)
        self.null: frozenset[str] = frozenset()
        self.callbacks = self._callbacks()
        self.long = False
        self._compile()

    def _compile(self, long: bool = False) -> None:
        """One trace serves every chunk and batch size; only the model's own shapes are fixed.

        XLA makes one kernel of an optimizer's dozen operations. Of a whole step it does where all
        layers are dense: its convolutions and loops are slower than TensorFlow's on a CPU.
        """
        dense = getattr(self.model, "all_dense", False)
        self._learn = (
            tf.function(self._descend, jit_compile=True) if long and dense else self._descend
        )
        self._apply = (
            tf.function(self._move, jit_compile=True) if long and not dense else self._move
        )
        order = tf.TensorSpec((None, None), tf.int64)
        keep = {
            name: tf.TensorSpec((None, None, *draw.shape), draw.dtype)
            for name, draw in self.spec.model.draws().items()
        }
        self._steps = tf.function(self._run_steps, input_signature=(order, keep))
        one = {name: tf.TensorSpec(mask.shape[1:], mask.dtype) for name, mask in keep.items()}
        picked = tf.TensorSpec((None,), tf.int64)
        self._one_step = tf.function(self._step, input_signature=(picked, one))
        self._rate = tf.function(self._learning_rate, input_signature=())

    def still(self, parameters: frozenset[str]) -> None:
        """See :meth:`parity.backend.Model.still`."""
        self.null = parameters
        self._compile(self.long)  # which gradients are zero is part of the graph

    def _stilled(self, gradients: list[Any]) -> list[Any]:
        names = self.trained_names()
        return [
            tf.zeros_like(gradient) if name in self.null else gradient
            for name, gradient in zip(names, gradients, strict=True)
        ]

    def feed(self, examples: Split) -> None:
        """See :meth:`parity.backend.Model.feed`."""
        with tf.device(self.device):
            self.x, self.y = self._tensor(examples.x), tf.constant(examples.y)
            self.lengths = None if examples.lengths is None else tf.constant(examples.lengths)
        self.long = steps_per_epoch(self.spec.training, len(examples.x)) >= LONG_EPOCH
        self._compile(self.long)  # the examples are part of the graph

    def train(self, chunk: Chunk) -> np.ndarray:
        """See :meth:`parity.backend.Model.train`."""
        with tf.device(self.device):
            keep = {name: tf.constant(mask) for name, mask in chunk.keep.items()}
            return self._steps(tf.constant(chunk.order), keep).numpy()

    def train_watched(self, chunk: Chunk) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """See :meth:`parity.backend.Model.train_watched`."""
        with tf.device(self.device):
            keep = {name: tf.constant(mask[0]) for name, mask in chunk.keep.items()}
            loss, fed = self._one_step(tf.constant(chunk.order[0]), keep)
            return loss.numpy()[None], {name: value.numpy() for name, value in fed.items()}

    def _run_steps(self, order: Any, keep: dict[str, Any]) -> Any:
        steps = tf.shape(order)[0]
        losses = tf.TensorArray(self.dtype, size=steps)
        for step in tf.range(steps):
            loss, _ = self._step(order[step], {name: mask[step] for name, mask in keep.items()})
            losses = losses.write(step, loss)
        return losses.stack()

    def _step(self, picked: Any, keep: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """One optimizer step: its loss, and what it was fed."""
        fed = {"input": tf.gather(self.x, picked), "labels": tf.gather(self.y, picked)}
        if self.lengths is not None:
            fed["lengths"] = tf.gather(self.lengths, picked)
        loss = self._learn(fed["input"], fed["labels"], fed.get("lengths"), keep)
        return loss, fed | {f"{name}/mask": mask for name, mask in keep.items()}

    def _descend(self, x: Any, y: Any, lengths: Any, keep: dict[str, Any]) -> Any:
        """The loss of a batch; the weights are moved along its gradients."""
        with tf.GradientTape() as tape:
            loss = self._loss(x, y, lengths, keep)
        self._apply(self._stilled(gradients_of(tape, loss, self.model.trainable_variables)))
        return loss

    def _move(self, gradients: list[Any]) -> None:
        trained = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(gradients, trained, strict=True))

    def slots(self) -> dict[str, np.ndarray]:
        """See :meth:`parity.backend.Model.slots`."""
        return {name: variable.numpy() for name, variable in self.slot_variables().items()}

    def slot_variables(self) -> dict[str, Any]:
        """The optimizer's own variables by ``slot/parameter``."""
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
        """See :meth:`parity.backend.Model.learning_rate`."""
        return float(self._rate())

    def _learning_rate(self) -> Any:
        """Compiled, for a schedule's rates are then others in their last bit."""
        rate = self.optimizer._learning_rate
        scheduled = self.spec.schedule.name != "constant"
        return rate(self.optimizer._iterations) if scheduled else tf.convert_to_tensor(rate)

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> bool:
        """See :meth:`parity.backend.Model.epoch_end`."""
        return self.callbacks.epoch_end(epoch, logs)

    def finish(self) -> None:
        """See :meth:`parity.backend.Model.finish`."""
        self.optimizer.finalize_variable_values(self.model.trainable_variables)
        self.callbacks.end()

    def reset_optimizer(self) -> None:
        """See :meth:`parity.backend.Model.reset_optimizer`."""
        self.callbacks = self._callbacks()
        for variable, value in self.initial_state:
            variable.assign(value)
        if FLAVOUR == "tf_keras":  # where an average begins as the weights
            averages = slots(self.optimizer, self.spec.optimizer).get(AVERAGE, [])
            for average, weight in zip(averages, self.model.trainable_variables, strict=False):
                average.assign(weight)

    def state(self) -> State:
        """See :meth:`parity.backend.Model.state`."""
        return state_of(self)

    def restore(self, state: State) -> None:
        """See :meth:`parity.backend.Model.restore`."""
        restore(self, state)
