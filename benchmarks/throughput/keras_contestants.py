"""Keras without anything of ours: ``fit`` as tutorials write it, and the best loop we know of."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

from benchmarks.throughput import plain_keras
from benchmarks.throughput.workloads import Workload

Round = Callable[[], None]


def _keras(module: str, backend: str = "tensorflow") -> Any:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KERAS_BACKEND"] = backend
    return importlib.import_module(module)


def fit(module: str, backend: str = "tensorflow", steps_per_execution: int = 1) -> Any:
    """``compile`` and ``fit`` on NumPy arrays."""

    def prepare(workload: Workload) -> Round:
        keras = _keras(module, backend)
        x, y, _ = workload.data()
        model = plain_keras.model(keras, workload)
        model.compile(
            optimizer="adam",
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            steps_per_execution=min(steps_per_execution, workload.steps),
        )
        return lambda: model.fit(x, y, batch_size=workload.batch, epochs=1, verbose=0)

    return prepare


def loop(module: str, jit_compile: bool = False, fused: bool = False) -> Any:
    """A whole epoch in one ``tf.function``, examples gathered by index."""

    def prepare(workload: Workload) -> Round:
        keras = _keras(module)
        import tensorflow as tf

        x, y, _ = workload.data()
        x, y = tf.constant(x), tf.constant(y)
        model = plain_keras.model(keras, workload)
        optimizer = keras.optimizers.Adam()
        optimizer.build(model.trainable_variables)
        variables = [
            getattr(v, "value", v) if module == "keras" else v for v in model.trainable_variables
        ]
        moments = [[tf.Variable(tf.zeros(v.shape)) for v in variables] for _ in range(2)]
        steps = tf.Variable(0.0)

        def step(picked):
            with tf.GradientTape() as tape:
                logits = model(tf.gather(x, picked), training=True)
                loss = tf.reduce_mean(
                    tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(y, picked), logits)
                )
            gradients = tape.gradient(loss, variables)
            if fused:
                steps.assign_add(1.0)
                b1, b2 = tf.pow(0.9, steps), tf.pow(0.999, steps)
                for v, m, s, g in zip(variables, *moments, gradients):
                    tf.raw_ops.ResourceApplyAdam(
                        var=v.handle,
                        m=m.handle,
                        v=s.handle,
                        beta1_power=b1,
                        beta2_power=b2,
                        lr=1e-3,
                        beta1=0.9,
                        beta2=0.999,
                        epsilon=1e-7,
                        grad=g,
                    )
            else:
                optimizer.apply_gradients(zip(gradients, model.trainable_variables))
            return loss

        if jit_compile:
            step = tf.function(step, jit_compile=True)

        @tf.function
        def epoch():
            order = tf.reshape(
                tf.random.shuffle(tf.range(workload.examples)), (workload.steps, workload.batch)
            )
            losses = tf.TensorArray(tf.float32, workload.steps)
            for n in tf.range(workload.steps):
                losses = losses.write(n, step(order[n]))
            return losses.stack()

        return lambda: epoch().numpy()

    return prepare
