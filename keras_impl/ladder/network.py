"""A classifier with its loss, but without an optimizer: outputs, loss, gradients, by layer.

Twin: ``torch_impl/ladder/network.py``. Deliberate differences: none except the frameworks' idioms.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from keras_impl.framework import tf, tf_device
from keras_impl.ladder.trace import traced
from keras_impl.ladder.weights import by_canonical_name
from keras_impl.parts.losses import HeadLoss
from parity.data.batches import OUTPUT_BATCH, Batch
from parity.data.datasets import Split
from parity.specs.run import Spec


class Network:
    """The methods of :class:`parity.adapters.backend.Model` that need no optimizer."""

    def __init__(self, model: Any, spec: Spec, dtype: str, device: str) -> None:
        self.model = model
        self.spec = spec
        self.dtype = tf.as_dtype(dtype)
        self.device = tf_device(device)
        self.loss_fn = HeadLoss(spec.model, spec.training)
        unweighted = dataclasses.replace(spec.training, class_weights=())  # as in Keras's ``fit``
        self.validation_loss = HeadLoss(spec.model, unweighted)
        self.layer_names = tuple(layer.name for layer in spec.model.layers())
        self._build()
        self.variables = by_canonical_name(model)
        x = tf.TensorSpec((None, *spec.model.input_shape), self.dtype)
        lengths, labels = tf.TensorSpec((None,), tf.int64), tf.TensorSpec((None,), tf.int64)
        signature = (x, lengths) if getattr(model, "variable_length", False) else (x,)
        self._outputs = graph(self._evaluate, signature)
        self._validated = graph(self._validate, (labels, *signature))

    def _build(self) -> None:
        x = np.zeros((1, *self.spec.model.input_shape), np.float32)
        self.model(self._tensor(x), lengths=tf.constant([x.shape[1]], tf.int64))

    def _tensor(self, x: np.ndarray) -> Any:
        return tf.constant(x, self.dtype)

    def weights(self) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.weights`."""
        return {name: variable.numpy() for name, variable in self.variables.items()}

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """See :meth:`parity.adapters.backend.Model.set_weights`."""
        for name, variable in self.variables.items():
            variable.assign(weights[name].astype(self.dtype.as_numpy_dtype))

    def trainable(self) -> frozenset[str]:
        """See :meth:`parity.adapters.backend.Model.trainable`."""
        return frozenset(self.trained_names())

    def counts(self) -> dict[str, int]:
        """See :meth:`parity.adapters.backend.Model.counts`."""
        return {
            "total": self.model.count_params(),
            "trainable": _entries(self.model),
            **{layer.name: _entries(layer) for layer in self._layers()},
        }

    def _layers(self) -> list[Any]:
        """The layers with a canonical name (which is the layer's own name)."""
        return [layer for layer in self.model.layers if layer.name in self.layer_names]

    @contextmanager
    def _probing(self) -> Iterator[None]:
        """Run on the device, and restore the buffers afterwards."""
        buffers = {
            name: variable.numpy()
            for name, variable in self.variables.items()
            if name not in self.trainable()
        }
        try:
            with tf.device(self.device):
                yield
        finally:
            for name, value in buffers.items():
                self.variables[name].assign(value)

    def _loss(self, x: Any, y: Any, lengths: Any, keep: Any) -> Any:
        return self._objective(y, self.model(x, lengths=lengths, keep=keep, training=True))

    def _objective(self, y: Any, outputs: Any, loss_fn: HeadLoss | None = None) -> Any:
        loss = (loss_fn or self.loss_fn)(y, outputs)
        return tf.add_n([loss, *self.model.losses])  # with the penalties

    def _batch(self, batch: Batch) -> tuple[Any, Any, Any, Any]:
        keep = {name: tf.constant(mask) for name, mask in batch.keep.items()}
        lengths = None if batch.lengths is None else tf.constant(batch.lengths)
        return self._tensor(batch.x), tf.constant(batch.y), lengths, keep

    def layers(self) -> dict[str, str]:
        """See :meth:`parity.adapters.backend.Model.layers`."""
        return {layer.name: f"{layer.name} ({type(layer).__name__})" for layer in self._layers()}

    def trace(self, batch: Batch, training: bool) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.trace`."""
        with self._probing(), traced(self.model, self.layer_names) as found:
            x, _, lengths, keep = self._batch(batch)
            self.model(x, lengths=lengths, keep=keep, training=training)
        return {
            "input": x.numpy(),
            **{name: output.numpy() for name, output in found.outputs.items()},
            **{f"{name}/mask": mask.numpy() for name, mask in found.masks.items()},
        }

    def loss(self, batch: Batch) -> float:
        """See :meth:`parity.adapters.backend.Model.loss`."""
        with self._probing():
            return float(self._loss(*self._batch(batch)))

    def gradients(self, batch: Batch, outputs: bool = False) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.gradients`."""
        trained = self.model.trainable_variables
        with self._probing(), traced(self.model, self.layer_names if outputs else ()) as found:
            x, *others = self._batch(batch)
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = self._loss(x, *others)
            gradients = gradients_of(tape, loss, [*trained, *found.outputs.values()])
        return self._named_gradients(gradients, found.outputs)

    def _named_gradients(
        self, gradients: Sequence[Any], layers: Iterable[str]
    ) -> dict[str, np.ndarray]:
        """Gradients by name, first of the trained variables, then of the outputs of ``layers``."""
        names = [*self.trained_names(), *(f"{layer}/output" for layer in layers)]
        return {name: value.numpy() for name, value in zip(names, gradients, strict=True)}

    def _given(self, given: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The given layer outputs as tensors."""
        return {name: self._tensor(given[name]) for name in self.layer_names}

    def replay(
        self, batch: Batch, training: bool, given: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.replay`."""
        with self._probing(), traced(self.model, self.layer_names, self._given(given)) as found:
            _, _, lengths, keep = self._batch(batch)
            x = self._tensor(given["input"])
            self.model(x, lengths=lengths, keep=keep, training=training)
        return {name: output.numpy() for name, output in found.outputs.items()}

    def replay_gradients(
        self, batch: Batch, given: Mapping[str, np.ndarray], outer: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.replay_gradients`."""
        leaves = self._given(given)
        with self._probing(), traced(self.model, self.layer_names, leaves) as found:
            _, y, lengths, keep = self._batch(batch)
            x = self._tensor(given["input"])
            with tf.GradientTape() as tape:
                tape.watch([x, *leaves.values()])
                loss = self._loss(x, y, lengths, keep)
            above = [self._tensor(outer[f"{name}/output"]) for name in found.outputs]
            gradients = gradients_of(
                tape,
                [*found.outputs.values(), loss],
                [*self.model.trainable_variables, *(leaves[name] for name in self.layer_names)],
                [*above, tf.ones_like(loss)],
            )
        return self._named_gradients(gradients, self.layer_names)

    def trained_names(self) -> list[str]:
        """Canonical names in the order of ``model.trainable_variables``."""
        names = {id(variable): name for name, variable in self.variables.items()}
        return [names[id(variable)] for variable in self.model.trainable_variables]

    def outputs(self, examples: Split) -> np.ndarray:
        """See :meth:`parity.adapters.backend.Model.outputs`."""
        with tf.device(self.device):
            parts = [self._outputs(*fed).numpy() for _, *fed in self._pieces(examples)]
        return np.concatenate(parts)

    def validate(self, examples: Split) -> tuple[float, np.ndarray]:
        """See :meth:`parity.adapters.backend.Model.validate`."""
        total, parts = 0.0, []
        with tf.device(self.device):
            for piece in self._pieces(examples):
                loss, outputs = self._validated(*piece)
                parts.append(outputs.numpy())
                total += float(loss) * len(outputs)
        return total / len(examples.x), np.concatenate(parts)

    def _pieces(self, examples: Split) -> Iterator[list[Any]]:
        """Yield labels, inputs, and lengths if there are any, in batches."""
        for start in range(0, len(examples.x), OUTPUT_BATCH):
            piece = slice(start, start + OUTPUT_BATCH)
            fed = [tf.constant(examples.y[piece]), self._tensor(examples.x[piece])]
            if examples.lengths is not None:
                fed.append(tf.constant(examples.lengths[piece]))
            yield fed

    def _validate(self, y: Any, x: Any, lengths: Any = None) -> tuple[Any, Any]:
        outputs = self._evaluate(x, lengths)
        return self._objective(y, outputs, self.validation_loss), outputs

    def _evaluate(self, x: Any, lengths: Any = None) -> Any:
        return self.model(x, lengths=lengths, training=False)


def graph(function: Any, signature: Any = None, jit_compile: bool | None = None) -> Any:
    """Compile a function, without AutoGraph, which would double the time and is not needed."""
    return tf.function(
        function, input_signature=signature, jit_compile=jit_compile, autograph=False
    )


def _entries(layer: Any) -> int:
    """Number of trainable entries of a layer or a model."""
    return sum(int(np.prod(variable.shape)) for variable in layer.trainable_variables)


def gradients_of(tape: Any, loss: Any, sources: list[Any], outer: Any = None) -> list[Any]:
    """Gradients of the loss; zeros for sources that it does not depend on.

    A tape watches the ``tf.Variable`` inside a Keras 3 variable; Keras 2 uses ``tf.Variable``.
    """
    # dense gradients: those of repeated embedding rows are summed
    raw = [v if isinstance(v, (tf.Variable, tf.Tensor)) else v.value for v in sources]
    zero = tf.UnconnectedGradients.ZERO
    found = tape.gradient(loss, raw, output_gradients=outer, unconnected_gradients=zero)
    return [tf.convert_to_tensor(gradient) for gradient in found]
