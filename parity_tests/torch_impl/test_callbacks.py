"""Callbacks: every decision against Keras's own callback, over random sequences of metrics."""

from __future__ import annotations

import io
import math
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from parity.adapters.backend import Backend
from torch_impl.fit import CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from torch_impl.fit.callback import FALLING, RISING

pytestmark = pytest.mark.flavour

SEQUENCES = 300
EPOCHS = 14
MONITORS = ("val_loss", "loss", "val_accuracy", "accuracy", "val_auc", "auc")
OTHER = {"tf_keras": "keras3", "keras3": "tf_keras"}


def metrics(rng: np.random.Generator, delta: float, epochs: int = EPOCHS) -> list[float | None]:
    """A sequence with ties, plateaus, steps of exactly ``delta``, and what is no number."""
    values, last = [], float(rng.choice([0.5, 1.0, 0.3, 7.0]))
    oddities = [math.nan, math.inf, -math.inf, None]
    for _ in range(epochs):
        if rng.random() < 0.12:
            values.append(oddities[rng.integers(4)])
            continue
        step = float(rng.choice([0, 0, -1, 1, 2, -2]) * (delta or 0.1))
        tiny = float(rng.choice([1.0, 1.0, 1.0, 1 + 1e-9, 1 - 1e-9, 1 + 1e-15]))
        values.append(last := (last + step) * tiny if rng.random() < 0.8 else float(rng.random()))
    return values


def pick(rng: np.random.Generator, *choices: Any) -> Any:
    return choices[rng.integers(len(choices))]


@pytest.fixture(scope="module")
def keras_model(keras_backend: Backend) -> Any:
    """A compiled Keras model of two weights, whose metrics are built."""
    return keras_model_in("float32")


def keras_model_in(dtype: str) -> Any:
    from keras_impl.framework import keras, set_dtype

    set_dtype(dtype)
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
    optimizer = keras.optimizers.SGD(0.1)
    model.compile(optimizer, "mse", metrics=["accuracy", keras.metrics.AUC(name="auc")])
    model.evaluate(np.zeros((4, 1)), np.array([[0], [1], [0], [1]]), verbose=0)
    return model


def set_weights(keras_model: Any, torch_model: nn.Module, value: float) -> None:
    keras_model.set_weights([np.full(w.shape, value) for w in keras_model.get_weights()])
    with torch.no_grad():
        for parameter in torch_model.parameters():
            parameter.fill_(value)


def weights(model: Any) -> list[float]:
    if isinstance(model, nn.Module):
        return [float(parameter.item()) for parameter in model.parameters()]
    return [float(weight.item()) for weight in model.get_weights()]


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings that a metric is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def same(a: Any, b: Any) -> bool:
    return a == b or (a is not None and b is not None and math.isnan(a) and math.isnan(b))


def early_stopping_options(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "monitor": pick(rng, *MONITORS),
        "min_delta": pick(rng, 0, 0.1, 1e-4, 0.25),
        "patience": pick(rng, 0, 1, 2, 3, 4, EPOCHS),
        "mode": pick(rng, "auto", "auto", "min", "max"),
        "baseline": pick(rng, None, None, 0.5),
        "restore_best_weights": bool(rng.integers(2)),
        "start_from_epoch": pick(rng, 0, 0, 1, 3),
    }


def stop_both(
    keras_model: Any, options: dict[str, Any], values: list[float | None], flavour: str
) -> list[tuple[str, Any, Any]]:
    """What parts Keras's early stopping from ours on one sequence, after each epoch and at last."""
    from keras_impl.framework import keras

    theirs, model = keras.callbacks.EarlyStopping(**options), nn.Linear(1, 1)
    theirs.set_model(keras_model)
    keras_model.stop_training = False
    theirs.on_train_begin()
    ours = EarlyStopping(model, **options, flavour=flavour)
    apart: list[tuple[str, Any, Any]] = []
    for epoch, value in enumerate(values):
        set_weights(keras_model, model, float(epoch))
        logs = {"other": 1.0} if value is None else {"other": 1.0, options["monitor"]: value}
        with quiet():
            theirs.on_epoch_end(epoch, dict(logs))
            stop = ours.on_epoch_end(epoch, logs)
        pairs = {"stop": (keras_model.stop_training, stop)}
        for name in ("wait", "best", "best_epoch", "stopped_epoch"):
            pairs[name] = (getattr(theirs, name), getattr(ours, name))
        apart += [(f"{name} at {epoch}", a, b) for name, (a, b) in pairs.items() if not same(a, b)]
        if apart or stop:
            break
    theirs.on_train_end()
    ours.on_train_end()
    if weights(keras_model) != weights(model):
        apart.append(("weights", weights(keras_model), weights(model)))
    return apart


def test_early_stopping_decides_as_keras(keras_model: Any, flavour: str) -> None:
    """Epoch of the stop, best value, best epoch and restored weights, on every sequence."""
    rng, stopped, restored = np.random.default_rng(0), 0, 0
    for _ in range(SEQUENCES):
        options = early_stopping_options(rng)
        values = metrics(rng, options["min_delta"])
        apart = stop_both(keras_model, options, values, flavour)
        assert not apart, f"{options} {values}: {apart}"
        stopped += keras_model.stop_training
        restored += weights(keras_model)[0] < EPOCHS - 1 and not keras_model.stop_training
    assert stopped > SEQUENCES / 3, "the sequences do not try the callback"
    assert restored > 10, "no weights restored where training ran to its end"


def test_the_other_keras_stops_elsewhere(keras_model: Any, flavour: str) -> None:
    """The comparison sees what the two Kerases differ in: NaN first, and float32."""
    options = {"monitor": "val_loss", "patience": 2, "restore_best_weights": True}
    for values in ([math.nan, 3.0, 2.0, 1.0, 0.5], [1.0, 1 - 1e-9, 1 - 2e-9, 1 - 3e-9]):
        assert not stop_both(keras_model, options, list(values), flavour)
        assert stop_both(keras_model, options, list(values), OTHER[flavour])


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


def test_checkpoints_are_saved_as_in_keras(keras_model: Any, tmp_path: Path, flavour: str) -> None:
    """The same files by name and content, over random sequences with missing metrics."""
    from keras_impl.framework import keras

    rng, files = np.random.default_rng(3), 0
    for number in range(60):
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
    assert files > 60


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


def test_best_weights_are_a_copy(flavour: str) -> None:
    """Training goes on in place and must not reach them; buffers come back, too."""
    model = nn.BatchNorm1d(2)
    stopping = EarlyStopping(model, restore_best_weights=True, flavour=flavour)
    model(torch.ones(3, 2))
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    stopping.on_epoch_end(0, {"val_loss": 1.0})
    model(torch.ones(3, 2))
    nn.init.constant_(model.weight, 5.0)
    weight = model.weight
    stopping.on_epoch_end(1, {"val_loss": 2.0})
    stopping.on_train_end()
    assert all(torch.equal(model.state_dict()[name], value) for name, value in kept.items())
    assert model.weight is weight


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


STOP, REDUCE, SAVE, LOG = "EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint", "CSVLogger"


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
