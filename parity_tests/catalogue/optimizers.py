"""Demonstrations of the differences between optimizers and schedules, by id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from parity.constants import as_float32
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import n, t
from parity_tests.support.ten_steps import CHANGE, SHAPE, gradient_sequence
from torch_impl import optim
from torch_impl.fit.early_stopping import EarlyStopping

Make = Callable[[list[Any]], Any]
GRADIENTS = np.stack((gradient_sequence(), gradient_sequence()[::-1] / 3), 1)
"""Ten steps of the gradients of two tensors."""


def in_keras(
    kind: str | type, change: bool = False, compiled: bool = False, **given: Any
) -> np.ndarray:
    """Two weights, initially one, after ten steps; ``change`` divides the rate by ten half-way."""
    from keras_impl.framework import keras, set_dtype, tf

    set_dtype("float64")
    layers = [keras.layers.Dense(SHAPE[1], use_bias=False) for _ in range(2)]
    for layer in layers:
        layer.build((None, SHAPE[0]))
        layer.kernel.assign(np.ones(SHAPE))
    optimizer = (getattr(keras.optimizers, kind) if isinstance(kind, str) else kind)(**given)
    kernels = [layer.kernel for layer in layers]
    optimizer.build(kernels)

    def apply(gradients: Any) -> None:
        optimizer.apply_gradients(zip(tf.unstack(gradients), kernels, strict=True))

    apply = tf.function(apply) if compiled else apply
    for step, gradients in enumerate(GRADIENTS):
        if change and step == CHANGE:
            optimizer.learning_rate = given["learning_rate"] / 10
        apply(tf.constant(gradients))
    if given.get("use_ema"):
        optimizer.finalize_variable_values(kernels)
    return np.stack([kernel.numpy() for kernel in kernels])


def in_torch(make: Make, change: bool = False, clip: float | None = None) -> np.ndarray:
    """The same; ``clip`` is the norm for PyTorch's own clipping."""
    weights = [torch.ones(SHAPE, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    optimizer = make(weights)
    for step, gradients in enumerate(GRADIENTS):
        if change and step == CHANGE:
            optimizer.param_groups[0]["lr"] /= 10
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = t(gradient)
        if clip:
            torch.nn.utils.clip_grad_norm_(weights, clip)
        optimizer.step()
    if getattr(optimizer, "ema_momentum", None):
        optimizer.finalize()
    return np.stack([n(weight) for weight in weights])


def shown(
    kind: str, naive: Make, faithful: dict[str, Any] | Make, *, change: bool = False, **given: Any
) -> Demonstration:
    """Keras's class with ``given``, a naive port, and ours with the same under its own names."""

    def demonstration(flavour: str) -> Shown:
        def make(weights: list[Any]) -> Any:
            if callable(faithful):
                return faithful(weights)
            return getattr(optim, kind)(weights, flavour=flavour, **faithful)

        keras = in_keras(kind, change, **given)
        return Shown(keras, in_torch(naive, change), in_torch(make, change))

    return demonstration


def clipped(name: str) -> Demonstration:
    def demonstration(flavour: str) -> Shown:
        def ours(weights: list[Any]) -> Any:
            return optim.SGD(weights, lr=0.01, flavour=flavour, **{name: 0.5})

        naive = in_torch(lambda w: torch.optim.SGD(w, lr=0.01), clip=0.5)
        keras = in_keras("SGD", learning_rate=0.01, **{name: 0.5})
        return Shown(keras, naive, in_torch(ours))

    return demonstration


def ema_start(flavour: str) -> Shown:
    def averages(weights: list[Any]) -> Any:
        return optim.SGD(weights, lr=0.01, ema_momentum=0.7, flavour=flavour)

    plain = torch.nn.ParameterList([torch.ones(SHAPE, dtype=torch.float64) for _ in range(2)])
    average = torch.optim.swa_utils.AveragedModel(
        plain, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.7)
    )
    optimizer = torch.optim.SGD(plain, lr=0.01)
    for gradients in GRADIENTS:
        for weight, gradient in zip(plain, gradients, strict=True):
            weight.grad = t(gradient)
        optimizer.step()
        average.update_parameters(plain)
    naive = np.stack([n(weight) for weight in average.module])
    keras = in_keras("SGD", learning_rate=0.01, use_ema=True, ema_momentum=0.7)
    return Shown(keras, naive, in_torch(averages))


def missing(kind: str) -> Demonstration:
    def demonstration(flavour: str) -> Shown:
        naive = np.ones(1) if hasattr(torch.optim, kind) else None
        ours = in_torch(lambda w: getattr(optim, kind)(w, lr=1e-3, flavour=flavour))
        return Shown(in_keras(kind, learning_rate=1e-3), naive, ours)

    return demonstration


def rates(
    schedule: Any,
    naive: Callable[[Any], Any],
    ours: Callable[[Any], Any],
    steps: int,
    initial: tuple[float, float] = (1.0, 1.0),
) -> Shown:
    """Rates of every step: of Keras's schedule, of a naive port and of ``torch_impl.optim``."""
    found = []
    for make, rate in zip((naive, ours), initial, strict=True):
        weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.SGD([weight], lr=rate)
        port = make(optimizer)
        rates = []
        for _ in range(steps):
            rates.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            port.step()
        found.append(np.array(rates))
    keras = np.array([float(schedule(step)) for step in range(steps)])
    return Shown(keras, *found)


def cosine_end(flavour: str) -> Shown:
    from keras_impl.framework import keras

    return rates(
        keras.optimizers.schedules.CosineDecay(1.0, 10),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 10),
        lambda o: optim.CosineDecay(o, 10),
        15,
    )


def piecewise(flavour: str) -> Shown:
    from keras_impl.framework import keras

    return rates(
        keras.optimizers.schedules.PiecewiseConstantDecay([5], [1.0, 0.125]),
        lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [5], gamma=0.125),
        lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [6], gamma=0.125),
        10,
    )


def float32_rates(flavour: str) -> Shown:
    from keras_impl.framework import keras

    return rates(
        keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.7),
        lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda step: 0.1 * 0.7 ** (step / 3)),
        lambda o: optim.ExponentialDecay(o, 3, 0.7),
        10,
        (1.0, 0.1),
    )


def plateau(flavour: str) -> Shown:
    from keras_impl.framework import keras, set_dtype

    set_dtype("float64")
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mean_squared_error")
    callback = keras.callbacks.ReduceLROnPlateau("loss", factor=0.125, patience=3)
    callback.set_model(model)
    callback.on_train_begin()
    ports = [
        torch.optim.lr_scheduler.ReduceLROnPlateau(
            torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0),
            factor=0.125,
            patience=patience,
            threshold=1e-4,
            threshold_mode="abs",
            eps=0.0,
        )
        for patience in (3, 2)
    ]
    found: list[list[float]] = [[], [], []]
    for epoch, loss in enumerate([3.0, *[2.0] * 11]):
        callback.on_epoch_end(epoch, {"loss": loss})
        found[0].append(float(model.optimizer.learning_rate.numpy()))
        for own, port in zip(found[1:], ports, strict=True):
            port.step(loss)
            own.append(port.optimizer.param_groups[0]["lr"])
    return Shown(*map(np.array, found))


def compiled_nadam(flavour: str) -> Shown:
    """Eager mode follows the formula; the naive port is Keras itself, compiled."""
    from keras_impl.framework import keras
    from keras_impl.parts.optimizers import Nadam

    mended = Nadam if flavour == "tf_keras" else keras.optimizers.Nadam
    kinds = (keras.optimizers.Nadam, mended)
    ports = [in_keras(kind, compiled=True, learning_rate=1e-3) for kind in kinds]
    return Shown(in_keras("Nadam", learning_rate=1e-3), *ports)


def best_weights(flavour: str) -> Shown:
    from keras_impl.framework import keras, set_dtype

    set_dtype("float64")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mean_squared_error")
    callback = keras.callbacks.EarlyStopping("loss", patience=3, restore_best_weights=True)
    callback.set_model(model)
    callback.on_train_begin()
    ports = [torch.nn.Linear(1, 1, bias=False).double() for _ in range(2)]
    kept = ports[0].weight.detach().clone()
    ours = EarlyStopping(ports[1], "loss", patience=3, restore_best_weights=True, flavour=flavour)
    best, wait = float("inf"), 0
    for epoch, loss in enumerate([3.0, 1.0, 2.0]):
        model.set_weights([np.full((1, 1), epoch + 1.0)])
        for port in ports:
            torch.nn.init.constant_(port.weight, epoch + 1.0)
        callback.on_epoch_end(epoch, {"loss": loss})
        ours.on_epoch_end(epoch, {"loss": loss})
        if loss < best:
            best, wait, kept = loss, 0, ports[0].weight.detach().clone()
        elif (wait := wait + 1) >= 3:
            ports[0].load_state_dict({"weight": kept})
            break
    callback.on_train_end()
    ours.on_train_end()
    return Shown(model.get_weights()[0], *(n(port.weight) for port in ports))


O = torch.optim  # noqa: E741
RATE = {"learning_rate": 1e-3}

DEMONSTRATIONS: dict[str, Demonstration] = {
    "optimizer.learning_rate": shown("SGD", lambda w: O.SGD(w), {"lr": 0.01}),
    "optimizer.float32_constants": shown(
        "SGD",
        lambda w: O.SGD(w, lr=as_float32(0.01), momentum=0.9),
        lambda w: O.SGD(w, lr=as_float32(0.01), momentum=as_float32(0.9)),
        learning_rate=as_float32(0.01),
        momentum=0.9,
    ),
    "optimizer.weight_decay": shown(
        "Adam",
        lambda w: O.Adam(w, lr=1e-3, eps=1e-7, weight_decay=0.1),
        {"lr": 1e-3, "weight_decay": 0.1},
        weight_decay=0.1,
        **RATE,
    ),
    "optimizer.clipnorm": clipped("clipnorm"),
    "optimizer.global_clipnorm": clipped("global_clipnorm"),
    "optimizer.ema_start": ema_start,
    "sgd.momentum_buffer": shown(
        "SGD",
        lambda w: O.SGD(w, lr=0.01, momentum=as_float32(0.9)),
        {"lr": 0.01, "momentum": 0.9},
        change=True,
        learning_rate=0.01,
        momentum=0.9,
    ),
    "adam.epsilon_placement": shown("Adam", lambda w: O.Adam(w, lr=1e-3, eps=1e-7), {}, **RATE),
    "adam.epsilon": shown("Adam", lambda w: optim.Adam(w, eps=1e-8), {}, **RATE),
    "adamw.weight_decay": shown("AdamW", lambda w: optim.AdamW(w, weight_decay=0.01), {}, **RATE),
    "adamax.epsilon_placement": shown(
        "Adamax", lambda w: O.Adamax(w, lr=1e-3, eps=1e-7), {"lr": 1e-3}, **RATE
    ),
    "nadam.momentum_decay": shown(
        "Nadam", lambda w: O.NAdam(w, lr=1e-3, eps=1e-7), {"lr": 1e-3}, **RATE
    ),
    "adagrad.initial_accumulator": shown(
        "Adagrad", lambda w: optim.Adagrad(w, initial_accumulator_value=0.0), {}, **RATE
    ),
    "adagrad.epsilon_placement": shown(
        "Adagrad",
        lambda w: O.Adagrad(w, lr=1e-3, initial_accumulator_value=as_float32(0.1), eps=1e-7),
        {"lr": 1e-3},
        **RATE,
    ),
    "adadelta.constants": shown(
        "Adadelta", lambda w: O.Adadelta(w, lr=1.0), {"lr": 1.0}, learning_rate=1.0
    ),
    "rmsprop.epsilon_placement": shown(
        "RMSprop", lambda w: O.RMSprop(w, lr=1e-3, alpha=0.9, eps=1e-7), {"lr": 1e-3}, **RATE
    ),
    "rmsprop.rho": shown("RMSprop", lambda w: optim.RMSprop(w, rho=0.99), {"lr": 1e-3}, **RATE),
    "lion.missing": missing("Lion"),
    "ftrl.missing": missing("Ftrl"),
    "schedule.cosine_end": cosine_end,
    "schedule.float32": float32_rates,
    "schedule.plateau_patience": plateau,
    "schedule.piecewise_boundary": piecewise,
    "nadam.compiled": compiled_nadam,
    "early_stopping.best_weights": best_weights,
}
