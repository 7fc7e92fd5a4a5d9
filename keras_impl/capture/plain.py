"""A Keras model that runs as its owner runs it. Twin: ``torch_impl/capture/plain.py``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from keras_impl.capture import layer_state
from keras_impl.capture.errors import describe_error
from keras_impl.capture.nesting import named_outputs
from keras_impl.capture.precision.dtypes import in_dtype
from keras_impl.private_api import layers_of
from parity.adapters.calls import Run
from parity.adapters.heads import Heads, with_heads
from parity.adapters.plain import PlainTraining
from parity.adapters.side import CannotRun
from parity.adapters.trainer import Batch

RATES = ("dropout", "recurrent_dropout", "drop_rate", "drop_prob")
"""Attributes that are rates in any layer."""

OWN_RATES = (*RATES, "rate", "stddev")
"""Those of Keras's dropouts and noise; elsewhere they may mean other things."""


def outputs(call: Callable[[], Any], moved: Collection[str], heads: Heads) -> Run:
    """The model's outputs in evaluation mode, without calls.

    Args:
        call: calls the model.
        moved: names of the outputs that are channels-first.
        heads: activations that are applied to the outputs.
    """
    native = {name: np.asarray(one) for name, one in named_outputs(call())}
    found = {
        name: np.moveaxis(value, 1, -1) if name in moved else value
        for name, value in native.items()
    }
    native = {name: native[name] for name in moved}
    run = Run(calls=[], outputs=found, sources=dict.fromkeys(found), native_layout=native)
    return with_heads(run, heads)


def training(trainer: Any, batch: Batch, steps: int) -> PlainTraining:
    """Optimizer steps by ``train_on_batch``; rates of random layers are 0.

    Args:
        trainer: a :class:`keras_impl.capture.trainer.KerasTrainer`; it ends as it was.
        batch: of every step.
        steps: number of steps; 0: the loss alone.

    Raises:
        CannotRun: the model, the loss or the optimizer raises.
    """
    trainer.start()
    side = trainer.side
    model = side.model
    x = [side.tensor(value) for value in batch.inputs]
    y = [side.tensor(value) for value in batch.targets]
    x, y = (one[0] if len(one) == 1 else one for one in (x, y))
    losses, weights = [], []
    try:
        with in_dtype(side.keras, side.flavour, side.dtype), without_draws(model):
            if not steps:
                with layer_state.variables_kept(model):
                    out = model(x, training=True)
                losses.append(float(trainer.loss_of(out, batch)) + sum(map(float, model.losses)))
                weights.append(trainer.weights())
            else:
                function = trainer.loss.function
                if trainer.shared_loss:  # of what the model returns, not of logits behind it
                    function = lambda y, out: trainer.loss.function(y, side.tf.identity(out))  # noqa: E731
                model.compile(loss=function, optimizer=trainer.optimizer, run_eagerly=True)
            for number in range(steps):
                model.reset_metrics()
                losses.append(float(np.ravel(model.train_on_batch(x, y))[0]))
                if number in (0, steps - 1):
                    weights.append(trainer.weights())
    except Exception as error:
        text = f"keras_model: cannot be trained plainly: {describe_error(error)}"
        raise CannotRun(text) from error
    finally:
        trainer.start()
    return PlainTraining(tuple(losses), weights[0], weights[-1], False)


@contextlib.contextmanager
def without_draws(model: Any) -> Iterator[None]:
    """Dropout and noise of layers have a rate of 0."""
    changed = []
    for layer in layers_of(model, include_self=True):
        own = any(
            one.__module__.startswith(("keras.", "tf_keras."))
            and one.__name__.endswith(("Dropout", "Dropout1D", "Dropout2D", "Dropout3D", "Noise"))
            for one in type(layer).__mro__
        )
        for name in OWN_RATES if own else RATES:
            value = getattr(layer, name, None)
            if isinstance(value, float) and value:
                changed.append((layer, name, value))
                setattr(layer, name, 0.0)
    try:
        yield
    finally:
        for layer, name, value in changed:
            setattr(layer, name, value)
