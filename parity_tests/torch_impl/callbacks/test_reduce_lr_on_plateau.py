"""ReduceLROnPlateau lowers the rate as Keras does, over random sequences of a metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from parity.adapters.backend import Backend
from parity_tests.torch_impl.callbacks.metric_sequences import (
    MONITORS,
    SEQUENCES,
    keras_model_in,
    metrics,
    pick,
    quiet,
    same,
)
from torch_impl.fit import ReduceLROnPlateau

pytestmark = pytest.mark.flavour


def plateau_options(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "monitor": pick(rng, *MONITORS),
        "factor": pick(rng, 0.1, 0.5, 0.3, 0.9, 0.0),
        "patience": int(rng.integers(0, 4)),
        "mode": pick(rng, "auto", "auto", "min", "max"),
        "min_delta": pick(rng, 0, 0.1, 1e-4, 0.25),
        "cooldown": int(rng.integers(0, 4)),
        "min_lr": pick(rng, 0, 0, 0.01, 0.07, 0.1),
    }


def reduce_both(
    keras_model: Any,
    options: dict[str, Any],
    values: list[float | None],
    flavour: str,
    dtype: str = "float32",
) -> tuple[list[tuple[str, Any, Any]], int]:
    """What parts Keras's reductions from ours on one sequence; number of reductions."""
    from keras_impl.framework import keras

    weight = torch.zeros(1, requires_grad=True, dtype=getattr(torch, dtype))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    keras_model.optimizer.learning_rate.assign(0.1)
    theirs = keras.callbacks.ReduceLROnPlateau(**options)
    theirs.set_model(keras_model)
    theirs.on_train_begin()
    ours = ReduceLROnPlateau(optimizer, **options, flavour=flavour)
    apart: list[tuple[str, Any, Any]] = []
    reductions = 0
    for epoch, value in enumerate(values):
        logs = {} if value is None else {options["monitor"]: value}
        both = dict(logs), dict(logs)
        with quiet():
            theirs.on_epoch_end(epoch, both[0])
            reductions += ours.on_epoch_end(epoch, both[1])
        keras_rate = keras_model.optimizer.learning_rate.numpy().item()
        rate = np.dtype(dtype).type(optimizer.param_groups[0]["lr"]).item()
        pairs = {"rate": (keras_rate, rate)}
        for name in ("wait", "best", "cooldown_counter"):
            pairs[name] = (getattr(theirs, name), getattr(ours, name))
        if logs:  # Keras makes new ones where they are empty
            pairs["logs"] = tuple(map(str, both))
        apart += [
            (f"{name} at {epoch}", a, b)
            for name, (a, b) in pairs.items()
            if not (a == b if isinstance(a, str) else same(a, b))
        ]
        if apart:
            break
    return apart, reductions


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rates_are_reduced_as_keras(dtype: str, keras_backend: Backend, flavour: str) -> None:
    """The same rates bit for bit, also in float64, and the same entry in the logs."""
    rng, reductions = np.random.default_rng(1), 0
    keras_model = keras_model_in(dtype)
    for _ in range(SEQUENCES):
        options = plateau_options(rng)
        values = metrics(rng, options["min_delta"])
        apart, times = reduce_both(keras_model, options, values, flavour, dtype)
        assert not apart, f"{options} {values}: {apart}"
        reductions += times
    assert reductions > SEQUENCES


def test_pytorch_own_plateau_parts(keras_model: Any, flavour: str) -> None:
    """The naive port differs in nearly every sequence; the known translation is Keras 2's."""
    rng, naive, translated, count = np.random.default_rng(2), 0, 0, 100
    for _ in range(count):
        patience, cooldown = int(rng.integers(1, 4)), int(rng.integers(0, 4))
        values = np.round(1 + rng.random(30).cumsum() * -0.02 + rng.random(30) * 0.3, 2).tolist()
        rates = []
        for make in (
            lambda o, p=patience, c=cooldown: ReduceLROnPlateau(
                o, factor=0.5, patience=p, cooldown=c, min_delta=0.05
            ),
            lambda o, p=patience, c=cooldown: torch.optim.lr_scheduler.ReduceLROnPlateau(
                o, factor=0.5, patience=p, cooldown=c, threshold=0.05
            ),
            lambda o, p=patience, c=cooldown: torch.optim.lr_scheduler.ReduceLROnPlateau(
                o,
                factor=0.5,
                patience=p - 1,
                cooldown=max(c - 1, 0),
                threshold=0.05,
                threshold_mode="abs",
                eps=0,
            ),
        ):
            optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.125)
            callback = make(optimizer)
            found = []
            for epoch, value in enumerate(values):
                if isinstance(callback, ReduceLROnPlateau):
                    callback.on_epoch_end(epoch, {"val_loss": value})
                else:
                    callback.step(value)
                found.append(optimizer.param_groups[0]["lr"])
            rates.append(found)
        naive += rates[1] != rates[0]
        translated += rates[2] == rates[0]
    assert naive >= 0.9 * count
    assert translated == count


def test_each_group_has_its_rate(flavour: str) -> None:
    """Rates of several groups fall together, each to the smallest one at most; tensors in place."""
    first, second = (torch.zeros(1, requires_grad=True) for _ in range(2))
    rate = torch.tensor(0.01)
    groups = [{"params": [first], "lr": 1.0}, {"params": [second], "lr": rate}]
    optimizer = torch.optim.Adam(groups, foreach=False)
    callback = ReduceLROnPlateau(optimizer, patience=1, factor=0.5, min_lr=0.008, flavour=flavour)
    reduced = [callback.on_epoch_end(epoch, {"val_loss": 1.0}) for epoch in range(9)]
    assert reduced == [False, *[True] * 7, False]
    assert [float(group["lr"]) for group in optimizer.param_groups] == 2 * [
        float(np.float32(0.008))
    ]
    assert optimizer.param_groups[1]["lr"] is rate
