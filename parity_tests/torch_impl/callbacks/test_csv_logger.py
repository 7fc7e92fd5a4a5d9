"""CSVLogger writes the bytes that Keras writes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from parity.adapters.backend import Backend
from torch_impl.fit import CSVLogger, ReduceLROnPlateau

pytestmark = pytest.mark.flavour


ROWS: dict[str, list[dict[str, Any]]] = {
    "plain": [{"loss": 0.1, "val_loss": 1 / 3}, {"loss": 1e-9, "val_loss": float("nan")}],
    "validation_later": [{"loss": 0.5, "b": 1.0}, {"loss": 0.25, "b": 2.0, "val_loss": 3.0}],
    "missing_and_new": [{"loss": 0.5, "val_a": 1}, {"val_a": 2, "new": 3}],
    "nothing": [{}, {"loss": 1.0}],
    "lists": [{"a": [1, 2.5], "b": np.array([1.5, 2.0]), "c": np.array(3.5), "d": 'x,"y'}],
    "infinite": [{"loss": math.inf, "val_loss": -math.inf}],
}


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("rows", ROWS)
def test_the_csv_file_has_keras_bytes(
    rows: str,
    separator: str,
    append: bool,
    keras_backend: Backend,
    tmp_path: Path,
) -> None:
    """Header, missing values, quotes and line ends; three trainings one after the other."""
    from keras_impl.framework import keras

    paths = tmp_path / "k.csv", tmp_path / "t.csv"
    for _ in range(3):
        theirs = keras.callbacks.CSVLogger(str(paths[0]), separator=separator, append=append)
        theirs.on_train_begin()
        ours = CSVLogger(paths[1], separator=separator, append=append)
        for epoch, logs in enumerate(ROWS[rows]):
            theirs.on_epoch_end(epoch, dict(logs))
            ours.on_epoch_end(epoch, logs)
            assert paths[1].read_bytes() == paths[0].read_bytes(), "not written at once"
        theirs.on_train_end()
        ours.on_train_end()
    assert paths[1].read_bytes() == paths[0].read_bytes()


def test_the_csv_file_has_keras_rate(keras_model: Any, tmp_path: Path, flavour: str) -> None:
    """Random metrics, behind ``ReduceLROnPlateau``, which puts the rate among them."""
    from keras_impl.framework import keras

    rng = np.random.default_rng(4)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    keras_model.optimizer.learning_rate.assign(0.1)
    theirs = [
        keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.3),
        keras.callbacks.CSVLogger(str(tmp_path / "k.csv")),
    ]
    ours = [
        ReduceLROnPlateau(optimizer, patience=1, factor=0.3, flavour=flavour),
        CSVLogger(tmp_path / "t.csv"),
    ]
    for callback in theirs:
        callback.set_model(keras_model)
        callback.on_train_begin()
    for epoch in range(40):
        logs = {"loss": float(rng.random()), "val_loss": float(rng.random())}
        for callbacks in (theirs, ours):
            shared = dict(logs)
            for callback in callbacks:
                callback.on_epoch_end(epoch, shared)
    theirs[1].on_train_end()
    ours[1].on_train_end()
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "k.csv").read_bytes()
    assert optimizer.param_groups[0]["lr"] < 1e-3


def test_a_resumed_csv_file_keeps_its_columns(tmp_path: Path) -> None:
    """With the state loaded, a row has the columns of the first training."""
    logger = CSVLogger(tmp_path / "a.csv")
    logger.on_epoch_end(0, {"loss": torch.tensor(0.5), "val_loss": 1.0})
    logger.on_train_end()
    again = CSVLogger(tmp_path / "a.csv", append=True)
    again.load_state_dict(logger.state_dict())
    again.on_epoch_end(1, {"val_loss": torch.tensor(2.0), "more": 1})
    again.on_train_end()
    expected = "epoch,loss,val_loss\r\n0,0.5,1.0\r\n1,NA,2.0\r\n"
    assert (tmp_path / "a.csv").read_bytes().decode() == expected
