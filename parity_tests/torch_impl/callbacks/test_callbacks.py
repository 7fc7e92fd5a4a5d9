"""What all callbacks have in common: state, modes, missing metrics and refusals."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from parity.adapters.backend import Backend
from parity_tests.torch_impl.callbacks.metric_sequences import (
    LOG,
    REDUCE,
    SAVE,
    STOP,
    metrics,
    quiet,
)
from torch_impl.fit import CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from torch_impl.fit.callback import FALLING, RISING

pytestmark = pytest.mark.flavour


@pytest.mark.parametrize("cut", [1, 3, 6])
def test_every_callback_goes_on_where_it_stood(cut: int, flavour: str, tmp_path: Path) -> None:
    """A state saved after any epoch makes another object decide as the first would have."""
    rng = np.random.default_rng(cut)
    for _ in range(30):
        values = metrics(rng, 0.1)
        found = []
        for interrupted in (False, True):
            model, log = nn.Linear(1, 1), []
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

            def make(
                model: nn.Module = model, optimizer: torch.optim.Optimizer = optimizer
            ) -> list[Any]:
                return [
                    EarlyStopping(model, patience=4, restore_best_weights=True, flavour=flavour),
                    ReduceLROnPlateau(optimizer, patience=2, cooldown=2, flavour=flavour),
                    ModelCheckpoint(
                        model, tmp_path / "best.pt", save_best_only=True, flavour=flavour
                    ),
                ]

            callbacks = make()
            for epoch, value in enumerate(values):
                if interrupted and epoch == cut:
                    file = io.BytesIO()
                    torch.save([callback.state_dict() for callback in callbacks], file)
                    file.seek(0)
                    callbacks = make()
                    states = torch.load(file, weights_only=True)
                    for callback, state in zip(callbacks, states, strict=True):
                        callback.load_state_dict(state)
                nn.init.constant_(model.weight, float(epoch))
                logs = {} if value is None else {"val_loss": value}
                with quiet():
                    log.append([callback.on_epoch_end(epoch, logs) for callback in callbacks])
                log.append(optimizer.param_groups[0]["lr"])
            callbacks[0].on_train_end()
            found.append([log, model.weight.item()])
        assert found[0] == found[1]


def test_modes_by_name_are_keras(keras_backend: Backend, flavour: str) -> None:
    """Every metric of Keras by its own name, and the short names that ``compile`` takes."""
    from keras_impl.framework import keras

    if flavour == "tf_keras":
        names = [*RISING, *FALLING, "val_auc", "accuracy_loss", "fmeasure_x", "my_acc", "macc_x"]
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        for name in names:
            theirs = keras.callbacks.EarlyStopping(name)
            assert EarlyStopping(nn.Linear(1, 1), name).rises == (theirs.monitor_op is np.greater)
            theirs = keras.callbacks.ModelCheckpoint("a", name)
            assert ModelCheckpoint(nn.Linear(1, 1), "a", name).rises == (
                theirs.monitor_op is np.greater
            )
            theirs = keras.callbacks.ReduceLROnPlateau(name)
            assert ReduceLROnPlateau(optimizer, name).rises == (theirs.best == -np.inf)
        return
    found: dict[str, str | None] = {}
    for kind in vars(keras.metrics).values():
        if not (isinstance(kind, type) and issubclass(kind, keras.metrics.Metric)):
            continue
        for given in ({}, {"num_classes": 2}, {"num_classes": 2, "target_class_ids": [0]}, 0.5):
            try:
                metric = kind(given) if isinstance(given, float) else kind(**given)
            except (TypeError, ValueError):
                continue
            found[kind.__name__] = metric.name
            direction = getattr(metric, "_direction", None)
            name = metric.name.rstrip("_0123456789")
            assert (name in RISING) == (direction == "up"), name
            assert (name in FALLING) == (direction == "down"), name
            break
    assert len(found) > 35
    model = keras.Sequential([keras.layers.Dense(1)])
    short = ["acc", "accuracy", "mse", "mae", "mape", "msle", "bce", "auc"]
    model.compile("sgd", "mse", metrics=short)
    model.evaluate(np.zeros((2, 1)), np.zeros((2, 1)), verbose=0)
    for name in ["loss", *short]:
        theirs = keras.callbacks.EarlyStopping(f"val_{name}")
        theirs.set_model(model)
        theirs.on_train_begin()
        theirs.on_epoch_end(0, {f"val_{name}": 1.0})
        ours = EarlyStopping(nn.Linear(1, 1), f"val_{name}", flavour="keras3")
        assert ours.rises == (theirs.monitor_op is keras.ops.greater)


def test_a_missing_metric_is_told(flavour: str, tmp_path: Path) -> None:
    """A warning names the metric and what there is; the epoch does not count."""
    stopping = EarlyStopping(nn.Linear(1, 1), patience=1, flavour=flavour)
    with pytest.warns(UserWarning, match="EarlyStopping: no 'val_loss' in logs, which have: loss"):
        assert not stopping.on_epoch_end(3, {"loss": 1.0})
    with pytest.warns(UserWarning, match="which have: nothing"):
        stopping.on_epoch_end(4)
    assert stopping.wait == 0


def test_tensors_are_numbers(flavour: str) -> None:
    """A metric may be a tensor of one, float32 too, as a loop has it."""
    stopping = EarlyStopping(nn.Linear(1, 1), patience=1, flavour=flavour)
    for epoch, value in enumerate([1.0, 0.5, 0.75]):
        stop = stopping.on_epoch_end(epoch, {"val_loss": torch.tensor(value)})
    assert stop
    assert (stopping.best, stopping.best_epoch, stopping.stopped_epoch) == (0.5, 1, 2)


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (STOP, {"patience": -1}, "patience: received -1, accepted: 0 or more, whole"),
        (STOP, {"patience": 1.5}, "patience: received 1.5, accepted: 0 or more, whole"),
        (STOP, {"min_delta": -0.1}, "min_delta: received -0.1, accepted: 0 or more, finite"),
        (STOP, {"mode": "up"}, "mode: received 'up', accepted: auto, min, max"),
        (STOP, {"start_from_epoch": -1}, "start_from_epoch: received -1"),
        (STOP, {"flavour": "keras4"}, "flavour: received 'keras4', accepted: tf_keras, keras3"),
        (STOP, {"monitor": "mine", "flavour": "keras3"}, "monitor 'mine', accepted: min or max"),
        (REDUCE, {"factor": 1.0}, "factor: received 1.0, accepted: 0 to below 1"),
        (REDUCE, {"cooldown": -1}, "cooldown: received -1, accepted: 0 or more, whole"),
        (REDUCE, {"min_lr": -1.0}, "min_lr: received -1.0, accepted: 0 or more, finite"),
        (REDUCE, {"min_delta": math.nan}, "min_delta: received nan"),
        (SAVE, {"save_freq": "batch"}, "save_freq: received 'batch', accepted: 'epoch' or a"),
        (SAVE, {"save_freq": 0}, "save_freq: received 0, accepted: 1 or more, whole"),
        (SAVE, {"others": {"model": 1}}, "others: received the name 'model'"),
        (SAVE, {"others": {"a": 1}, "save_weights_only": True}, "received a with save_weights_on"),
        (LOG, {"separator": ", "}, "separator: received ', ', accepted: one character"),
        (LOG, {"path": "."}, "path: received the folder '.', accepted: a file"),
    ],
)
def test_refuses(
    kind: str, given: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An argument out of range is named, with what is accepted."""
    monkeypatch.chdir(tmp_path)
    model = nn.Linear(1, 1)
    first = {
        STOP: lambda: EarlyStopping(model, **given),
        REDUCE: lambda: ReduceLROnPlateau(torch.optim.SGD(model.parameters()), **given),
        SAVE: lambda: ModelCheckpoint(model, "a.pt", **given),
        LOG: lambda: CSVLogger(**{"path": "a.csv", **given}),
    }[kind]
    with pytest.raises(ValueError, match="received") as caught:
        first()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_refuses_a_wrong_file_name_or_state(tmp_path: Path, flavour: str) -> None:
    """A name without its metric, a folder in the file's place, another callback's state."""
    model = nn.Linear(1, 1)
    saving = ModelCheckpoint(model, tmp_path / "{val_los}.pt", flavour=flavour)
    with pytest.raises(ValueError, match=r"'val_los'\), accepted: with val_loss, epoch"):
        saving.on_epoch_end(0, {"val_loss": 1.0})
    with pytest.raises(ValueError, match="received the folder"):
        ModelCheckpoint(model, tmp_path, flavour=flavour).on_epoch_end(0)
    with pytest.raises(ValueError, match="received columns, accepted: best, batches_since_saved"):
        saving.load_state_dict({"columns": None})
