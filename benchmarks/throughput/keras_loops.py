"""Keras with nothing of ours: ``fit`` as tutorials write it, and the best loop by hand."""

from __future__ import annotations

import functools
import importlib
import os
from types import SimpleNamespace
from typing import Any

from benchmarks.throughput import plain_keras
from benchmarks.throughput.workloads import Workload

Round = Any
"""Runs one pass over the workload's examples: a function without arguments."""


def fit(
    workload: Workload, keras: str, backend: str = "tensorflow", steps_per_execution: int = 1
) -> Round:
    """``compile`` and ``fit`` on NumPy arrays.

    Args:
        workload: what to train.
        keras: the module, ``tf_keras`` or ``keras``.
        backend: of Keras 3.
        steps_per_execution: as ``compile`` takes it.
    """
    module = _imported(keras, backend)
    x, y, _ = workload.data()
    model = plain_keras.model(module.layers, module, workload)
    model.compile(
        optimizer="adam",
        loss=module.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=min(steps_per_execution, workload.steps),
    )
    return lambda: model.fit(x, y, batch_size=workload.batch, epochs=1, verbose=0)


def by_hand(workload: Workload, keras: str) -> Round:
    """All steps in one ``tf.function``, examples gathered by number, one operation at a time.

    Dense models are compiled by XLA as a whole; of the others the optimizer is, and recurrent
    layers are unrolled. Each of these was the fastest that we found: ``benchmarks/RESULTS.md``.
    """
    module = _imported(keras, "tensorflow")
    tf = importlib.import_module("tensorflow")
    if tf.config.threading.get_inter_op_parallelism_threads() != 1:
        tf.config.threading.set_inter_op_parallelism_threads(1)
    dense = not (workload.channels or workload.cell)
    x, y = (tf.constant(values) for values in workload.data()[:2])
    model = plain_keras.model(_unrolled(module.layers), module, workload)
    trained = model.trainable_variables
    optimizer = module.optimizers.Adam()
    optimizer.build(trained)
    variables = [getattr(v, "value", v) if keras == "keras" else v for v in trained]

    def apply(gradients: Any) -> None:
        optimizer.apply_gradients(zip(gradients, trained, strict=True))

    apply_compiled = apply if dense else tf.function(apply, jit_compile=True)

    def step(inputs: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        apply_compiled(tape.gradient(loss, variables))
        return loss

    step_compiled = tf.function(step, jit_compile=True) if dense else step

    @tf.function
    def epoch() -> Any:
        order = tf.random.shuffle(tf.range(workload.examples))
        order = tf.reshape(order, (workload.steps, workload.batch))
        losses = tf.TensorArray(tf.float32, workload.steps)
        for n in tf.range(workload.steps):
            loss = step_compiled(tf.gather(x, order[n]), tf.gather(y, order[n]))
            losses = losses.write(n, loss)
        return losses.stack()

    return lambda: epoch().numpy()


def _imported(keras: str, backend: str) -> Any:
    os.environ["KERAS_BACKEND"] = backend
    return importlib.import_module(keras)


def _unrolled(layers: Any) -> Any:
    """The module of layers, its recurrent ones unrolled."""
    kinds = {name: getattr(layers, name) for name in plain_keras.KINDS}
    for name in ("GRU", "LSTM"):
        kinds[name] = functools.partial(kinds[name], unroll=True)
    return SimpleNamespace(**kinds)
