"""Ten optimizer steps from one gradient sequence, in NumPy, Keras and PyTorch; and all the rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from parity.reference.optimizers.spec import OptimizerSpec
from parity.reference.optimizers.step import first_slots, reference_step
from parity.reference.optimizers.table import OPTIMIZERS

STEPS, CHANGE = 10, 5
"""Steps, and the one before which the learning rate changes."""

SHAPE = (7, 3)

Found = dict[str, np.ndarray]
"""``weight`` and each slot after all steps."""

AROUND: dict[str, dict[str, Any]] = {
    "plain": {},
    "decay": {"weight_decay": 0.3},
    "clip": {"clipnorm": 2.0},
    "clip_all": {"global_clipnorm": 2.0},
    "clip_value": {"clipvalue": 0.5},
    "clip_and_decay": {"clipnorm": 2.0, "weight_decay": 0.3},
    "average": {"ema_momentum": 0.7},
    "average_overwrites": {"ema_momentum": 0.7, "ema_overwrite_frequency": 3, "weight_decay": 0.1},
}
"""What comes before and after a step; the gradients' norms lie on both sides of the largest one."""

OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("momentum", {"momentum": 0.5}),
    ("nesterov", {"momentum": 0.99}),
    ("adam", {"beta_1": 0.0, "beta_2": 0.0}),
    ("adam", {"epsilon": 1e-2}),
    ("amsgrad", {"beta_2": 0.5}),
    ("adamax", {"epsilon": 1e-2, "beta_2": 0.5}),
    ("nadam", {"beta_1": 0.5, "epsilon": 1e-2}),
    ("adagrad", {"initial_accumulator_value": 0.0, "epsilon": 1e-3}),
    ("adadelta", {"rho": 0.5}),
    ("rmsprop", {"centered": True}),
    ("rmsprop", {"momentum": 0.9}),
    ("rmsprop", {"momentum": 0.9, "centered": True, "rho": 0.5, "epsilon": 1e-3}),
    ("ftrl", {"l1_regularization_strength": 0.5}),
    ("ftrl", {"l2_regularization_strength": 0.5, "beta": 0.3}),
    ("ftrl", {"l2_shrinkage_regularization_strength": 0.5, "learning_rate_power": -0.8}),
    ("lion", {"beta_1": 0.5, "beta_2": 0.1}),
]
"""Options away from their defaults."""

CASES = [
    *((name, around, fields) for name in OPTIMIZERS for around, fields in AROUND.items()),
    *((name, "_".join(fields), fields) for name, fields in OPTIONS),
]


KERAS_OWN: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True}),
    ("Adam", {"clipnorm": 0.3}),
    ("Adam", {"global_clipnorm": 0.3}),
    ("Adam", {"weight_decay": 0.1}),
    ("AdamW", {}),
    ("Adamax", {}),
    ("Nadam", {}),
    ("Adagrad", {}),
    ("Adadelta", {}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"centered": True}),
    ("Ftrl", {}),
    ("Ftrl", {"l1": 0.1, "l2": 0.1, "l2_shrinkage": 0.1, "beta": 0.1}),
    ("Lion", {}),
]
"""Classes of both frameworks, with what a user gives them: Python floats, not rounded."""

KERAS_NAMES = {
    "l1": "l1_regularization_strength",
    "l2": "l2_regularization_strength",
    "l2_shrinkage": "l2_shrinkage_regularization_strength",
}


def gradient_sequence() -> np.ndarray:
    """Ten gradients over six orders of magnitude, so that ε matters for some entries."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((STEPS, *SHAPE)) * 10.0 ** rng.integers(-6, 1, SHAPE)


def reference(spec: OptimizerSpec, gradients: np.ndarray, change: bool, flavour: str) -> Found:
    """Weight and slots after all steps; ``change`` divides the rate by ten half-way."""
    weight = np.ones(SHAPE)
    slots = first_slots(spec, weight, flavour)
    for step, gradient in enumerate(gradients):
        now = spec
        if change and step >= CHANGE:
            now = dataclasses.replace(spec, learning_rate=spec.learning_rate / 10)
        weight, slots = reference_step(now, step + 1, weight, gradient, slots, flavour=flavour)
    return {"weight": weight, **slots}


def in_keras(
    spec: OptimizerSpec,
    gradients: np.ndarray,
    change: bool,
    optimizer: Any = None,
    compiled: bool = False,
    dtype: str = "float64",
) -> Found:
    """The same in Keras; ``optimizer`` instead of the one that the spec asks for."""
    from keras_impl.framework import keras, set_dtype, tf
    from keras_impl.parts.optimizers import optimizer_for, slots

    set_dtype(dtype)
    layer = keras.layers.Dense(SHAPE[1], use_bias=False)
    layer.build((None, SHAPE[0]))
    layer.kernel.assign(np.ones(SHAPE))
    optimizer = optimizer or optimizer_for(spec)
    optimizer.build([layer.kernel])

    def apply(gradient: Any) -> None:
        optimizer.apply_gradients([(gradient, layer.kernel)])

    run = tf.function(apply) if compiled else apply
    for step, gradient in enumerate(gradients):
        if change and step == CHANGE:
            optimizer.learning_rate = np.float32(spec.learning_rate / 10)
        run(tf.constant(gradient, dtype))
    found = {slot: values[0].numpy() for slot, values in slots(optimizer, spec).items()}
    return {"weight": layer.kernel.numpy(), **found}


def in_torch(
    spec: OptimizerSpec,
    gradients: np.ndarray,
    change: bool,
    flavour: str,
    make: Callable[[list[Any]], Any] | None = None,
    dtype: str = "float64",
) -> Found:
    """The same in PyTorch."""
    import torch

    from torch_impl.parts.optimizers import optimizer_for, slots

    weight = torch.ones(SHAPE, dtype=getattr(torch, dtype), requires_grad=True)
    optimizer = make([weight]) if make else optimizer_for(spec, [weight], flavour=flavour)
    for step, gradient in enumerate(gradients):
        if change and step == CHANGE:
            optimizer.param_groups[0]["lr"] = float(np.float32(spec.learning_rate / 10))
        weight.grad = torch.from_numpy(gradient.copy()).to(weight.dtype)
        optimizer.step()
    found = {slot: values[0].numpy() for slot, values in slots(optimizer, spec).items()}
    return {"weight": weight.detach().numpy(), **found}


def both_frameworks_own(
    kind: str, given: dict[str, Any], dtype: str, flavour: str
) -> tuple[np.ndarray, np.ndarray]:
    """Weights after ten steps of Keras's class and of ours, given Python floats as users do.

    Args:
        kind: the class, by one name in both.
        given: its arguments as ours are called; the rest are Keras's defaults.
        dtype: of weights and gradients.
        flavour: the Keras that runs.
    """
    from keras_impl.framework import keras, set_dtype
    from torch_impl import optim

    set_dtype(dtype)
    keras_given = {KERAS_NAMES.get(name, name): value for name, value in given.items()}
    optimizer = getattr(keras.optimizers, kind)(**keras_given)
    rate = float(optimizer.learning_rate.numpy())
    plain = OptimizerSpec(name="sgd", learning_rate=rate)  # for its rate; it has no slots
    gradients = gradient_sequence()
    k = in_keras(plain, gradients, True, optimizer=optimizer, dtype=dtype)

    def make(params: list[Any]) -> Any:
        return getattr(optim, kind)(params, lr=rate, flavour=flavour, **given)

    t = in_torch(plain, gradients, True, flavour, make=make, dtype=dtype)
    return k["weight"], t["weight"]
