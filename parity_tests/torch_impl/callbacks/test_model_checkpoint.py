"""ModelCheckpoint saves the same files as Keras does, over random sequences of a metric."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from parity_tests.torch_impl.callbacks.metric_sequences import (
    MONITORS,
    metrics,
    pick,
    quiet,
    same,
    set_weights,
    weights,
)
from torch_impl.fit import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau

pytestmark = pytest.mark.flavour


def checkpoint_options(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "monitor": pick(rng, *MONITORS),
        "save_best_only": bool(rng.integers(4)),
        "mode": pick(rng, "auto", "auto", "min", "max"),
        "initial_value_threshold": pick(rng, None, None, 0.7),
    }


def assert_same_files(keras_model: Any, theirs: Path, ours: Path) -> int:
    """The same names but for the suffix, and the same weights in each; gives their number."""
    keras_files = {
        str(file.relative_to(theirs)).removesuffix(".weights.h5"): file
        for file in theirs.rglob("*.h5")
    }
    files = {
        str(file.relative_to(ours)).removesuffix(".pt"): file
        for file in ours.rglob("*")
        if file.is_file()
    }
    assert files.keys() == keras_files.keys()
    for name, file in files.items():
        keras_model.load_weights(keras_files[name])
        model = nn.Linear(1, 1)
        model.load_state_dict(torch.load(file, weights_only=True))
        assert weights(model) == weights(keras_model), name
    return len(files)


@pytest.mark.parametrize("seed", [3, pytest.param(4, marks=pytest.mark.full)])
def test_checkpoints_are_saved_as_in_keras(
    seed: int, keras_model: Any, tmp_path: Path, flavour: str
) -> None:
    """The same files by name and content, over random sequences with missing metrics."""
    from keras_impl.framework import keras

    rng, files = np.random.default_rng(seed), 0
    for number in range(30):
        options, model = checkpoint_options(rng), nn.Linear(1, 1)
        name = pick(rng, "best", "{epoch:02d}", "{epoch}-{other:.2f}", "in/{epoch}")
        folders = tmp_path / f"{number}k", tmp_path / f"{number}t"
        theirs = keras.callbacks.ModelCheckpoint(
            str(folders[0] / f"{name}.weights.h5"), save_weights_only=True, **options
        )
        theirs.set_model(keras_model)
        theirs.on_train_begin()
        ours = ModelCheckpoint(
            model, folders[1] / f"{name}.pt", save_weights_only=True, **options, flavour=flavour
        )
        for epoch, value in enumerate(metrics(rng, 0.1, 8)):
            set_weights(keras_model, model, float(epoch))
            logs = {"other": 0.5 + epoch}
            if value is not None:
                logs[options["monitor"]] = value
            with quiet():
                theirs.on_epoch_begin(epoch)
                theirs.on_epoch_end(epoch, dict(logs))
                ours.on_epoch_end(epoch, logs)
            assert same(theirs.best, ours.best), f"{options} at {epoch}"
        files += assert_same_files(keras_model, *folders)
    assert files > 30


@pytest.mark.parametrize("freq", [1, 3, 5, 7])
@pytest.mark.parametrize("best", [False, True])
def test_checkpoints_by_batches_are_keras(
    best: bool, freq: int, keras_model: Any, tmp_path: Path, flavour: str
) -> None:
    """Every so many batches, counted through epochs of unlike lengths."""
    from keras_impl.framework import keras

    if best and flavour == "keras3":
        pytest.skip("Keras 3 fails when it compares within the first epoch")
    model, rng = nn.Linear(1, 1), np.random.default_rng(freq)
    name = "{epoch}-{batch:02d}-{loss:.1f}"
    (tmp_path / "k").mkdir()
    (tmp_path / "t").mkdir()
    options = {"save_freq": freq, "save_best_only": best, "monitor": "loss"}
    theirs = keras.callbacks.ModelCheckpoint(
        str(tmp_path / f"k/{name}.weights.h5"), save_weights_only=True, **options
    )
    theirs.set_model(keras_model)
    theirs.on_train_begin()
    ours = ModelCheckpoint(
        model, tmp_path / f"t/{name}.pt", save_weights_only=True, **options, flavour=flavour
    )
    for epoch, length in enumerate((4, 6, 1, 1, 5)):
        theirs.on_epoch_begin(epoch)
        for batch in range(length):
            set_weights(keras_model, model, epoch + batch / 8)
            logs = {"loss": float(np.round(rng.random(), 1))}
            theirs.on_train_batch_end(batch, dict(logs))
            ours.on_batch_end(epoch, batch, logs)
        theirs.on_epoch_end(epoch, dict(logs))
        assert ours.on_epoch_end(epoch, logs) is None
    assert assert_same_files(keras_model, tmp_path / "k", tmp_path / "t") == (
        17 // freq if not best else len(list((tmp_path / "t").iterdir()))
    )


def test_keras_3_cannot_compare_batches(keras_model: Any, tmp_path: Path, flavour: str) -> None:
    """The fault that ours does not have: as long as it is there, say so."""
    from keras_impl.framework import keras

    if flavour != "keras3":
        pytest.skip("Keras 2 compares")
    theirs = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "a.weights.h5"),
        monitor="loss",
        save_best_only=True,
        save_weights_only=True,
        save_freq=1,
    )
    theirs.set_model(keras_model)
    theirs.on_train_begin()
    theirs.on_epoch_begin(0)
    theirs.on_train_batch_end(0, {"loss": 1.0})
    with pytest.raises(TypeError, match="not callable"):
        theirs.on_train_batch_end(1, {"loss": 0.5})


def test_a_checkpoint_resumes_training(tmp_path: Path, flavour: str) -> None:
    """Model, optimizer and callbacks from one file, read as plain data; nothing else is left."""

    def made() -> tuple[nn.Module, torch.optim.Optimizer, EarlyStopping, ModelCheckpoint]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        stopping = EarlyStopping(model, patience=9, restore_best_weights=True, flavour=flavour)
        plateau = ReduceLROnPlateau(optimizer, patience=2, flavour=flavour)
        others = {"optimizer": optimizer, "stopping": stopping, "plateau": plateau}
        saving = ModelCheckpoint(model, tmp_path / "last.pt", others=others, flavour=flavour)
        return model, optimizer, stopping, saving

    losses = [3.0, 2.0, 2.5, 2.2, 1.9, 4.0, 5.0, 6.0]

    def run(interrupted: bool) -> tuple[list[float], float]:
        model, optimizer, stopping, saving = made()
        generator = torch.Generator().manual_seed(1)
        for epoch, loss in enumerate(losses):
            if interrupted and epoch == 4:
                model, optimizer, stopping, saving = made()
                state = torch.load(tmp_path / "last.pt", weights_only=True)
                model.load_state_dict(state.pop("model"))
                for name, own in state.items():
                    saving.others[name].load_state_dict(own)
            model(torch.randn(5, 3, generator=generator)).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            logs = {"val_loss": loss}
            saving.others["plateau"].on_epoch_end(epoch, logs)
            assert not stopping.on_epoch_end(epoch, logs)
            assert saving.on_epoch_end(epoch, logs) == tmp_path / "last.pt"
        rate = optimizer.param_groups[0]["lr"]
        stopping.on_train_end()
        assert stopping.best_epoch == 4
        return [v for t in model.state_dict().values() for v in t.flatten().tolist()], rate

    assert run(False) == run(True)
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, flavour: str) -> None:
    """What cannot be written leaves the last good file alone, and no half one."""

    class Unsaveable:
        def state_dict(self) -> dict[str, Any]:
            return {"f": lambda: 0}

    model = nn.Linear(1, 1)
    path = tmp_path / "a.pt"
    ModelCheckpoint(model, path, flavour=flavour).on_epoch_end(0)
    before = path.read_bytes()
    broken = ModelCheckpoint(model, path, others={"it": Unsaveable()}, flavour=flavour)
    with pytest.raises((AttributeError, pickle.PicklingError), match="pickle"):
        broken.on_epoch_end(1)
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]
    assert path.read_bytes() == before
