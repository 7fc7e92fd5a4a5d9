"""Keras without this project: ``fit`` as in tutorials, and the best hand-written loop."""

from __future__ import annotations

import functools
import importlib
import os
from types import SimpleNamespace
from typing import Any

from benchmarks.throughput import plain_keras
from benchmarks.throughput.workloads import Round, Workload


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


def by_hand(
    workload: Workload,
    keras: str,
    *,
    at_a_time: int = 1,
    xla: str = "best",
    recurrent: str = "unrolled",
    adam: str = "keras",
) -> Round:
    """All steps in one ``tf.function``, with examples gathered by index.

    By default what we found to be fastest; the rest is for ``python -m benchmarks --only tries``.

    Args:
        workload: what to train.
        keras: the module, ``tf_keras`` or ``keras``.
        at_a_time: operations at a time, each with all threads; 0: as many as TensorFlow likes.
        xla: what it compiles: ``nothing``, the ``optimizer`` or the whole ``step``; ``best`` is the
            step of dense models, of others the optimizer.
        recurrent: layers as a ``loop``, ``unrolled``, or as TensorFlow's one ``kernel`` (of an
            LSTM, float32 alone).
        adam: Keras's own, or TensorFlow's one ``kernel``, whose float32 1 − β₂ is 1.3e-5 off.
    """
    module = _imported(keras, "tensorflow")
    tf = importlib.import_module("tensorflow")
    if at_a_time != tf.config.threading.get_inter_op_parallelism_threads():
        tf.config.threading.set_inter_op_parallelism_threads(at_a_time)
    if xla == "best":
        xla = "optimizer" if workload.channels or workload.cell else "step"
    x, y = (tf.constant(values) for values in workload.data(long=True)[:2])
    model = plain_keras.model(_layers(module.layers, recurrent), module, workload)
    trained = model.trainable_variables
    optimizer = module.optimizers.Adam()
    optimizer.build(trained)
    variables = [getattr(v, "value", v) if keras == "keras" else v for v in trained]

    def apply(gradients: Any) -> None:
        optimizer.apply_gradients(zip(gradients, trained, strict=True))

    if adam == "kernel":
        apply = _adam_kernel(tf, variables)
    if xla == "optimizer":
        apply = tf.function(apply, jit_compile=True)

    def step(inputs: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        apply(tape.gradient(loss, variables))
        return loss

    if xla == "step":
        step = tf.function(step, jit_compile=True)

    @tf.function
    def epoch() -> Any:
        order = tf.random.shuffle(tf.range(len(x)))[: workload.examples]
        order = tf.reshape(order, (workload.steps, workload.batch))
        losses = tf.TensorArray(tf.float32, workload.steps)
        for n in tf.range(workload.steps):
            losses = losses.write(n, step(tf.gather(x, order[n]), tf.gather(y, order[n])))
        return losses.stack()

    return lambda: epoch().numpy()


def _adam_kernel(tf: Any, variables: list[Any]) -> Any:
    """A function that updates the variables by their gradients."""
    slots = [[tf.Variable(tf.zeros(v.shape)) for v in variables] for _ in range(2)]
    steps = tf.Variable(0.0)
    adam = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}

    def apply(gradients: list[Any]) -> None:
        steps.assign_add(1.0)
        powers = {f"{name}_power": tf.pow(adam[name], steps) for name in ("beta1", "beta2")}
        for var, m, v, grad in zip(variables, *slots, gradients, strict=True):
            places = {"var": var.handle, "m": m.handle, "v": v.handle}
            tf.raw_ops.ResourceApplyAdam(**places, **powers, **adam, grad=grad)

    return apply


def _imported(keras: str, backend: str) -> Any:
    os.environ["KERAS_BACKEND"] = backend
    return importlib.import_module(keras)


def _layers(layers: Any, recurrent: str) -> Any:
    """The module of layers, with the chosen kind of recurrent layers."""
    kinds = {name: getattr(layers, name) for name in plain_keras.KINDS}
    if recurrent == "unrolled":
        kinds |= {name: functools.partial(kinds[name], unroll=True) for name in ("GRU", "LSTM")}
    if recurrent == "kernel":
        kinds["LSTM"] = _lstm_kernel(kinds["LSTM"])
    return SimpleNamespace(**kinds)


def _lstm_kernel(base: Any) -> Any:
    """Keras's LSTM, computed by TensorFlow's single kernel for the whole sequence."""
    tf = importlib.import_module("tensorflow")

    class KernelLSTM(base):
        def call(self, sequences: Any, *_: Any, **__: Any) -> Any:
            cell, x = self.cell, tf.transpose(sequences, (1, 0, 2))
            state, peephole = tf.zeros((tf.shape(x)[1], self.units)), tf.zeros((self.units,))
            found = tf.raw_ops.BlockLSTMV2(
                seq_len_max=tf.cast(tf.shape(x)[0], tf.int64),
                x=x,
                cs_prev=state,
                h_prev=state,
                w=tf.concat([tf.convert_to_tensor(cell.kernel), cell.recurrent_kernel], 0),
                wci=peephole,
                wcf=peephole,
                wco=peephole,
                b=cell.bias,
                cell_clip=0.0,
                use_peephole=False,
            )
            return found.h[-1]

    return KernelLSTM
