"""Checkpoints: a training that was cut goes on as if it had not been, in either framework."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from parity.adapters.backend import Backend
from parity.adapters.state import History, State
from parity.cli import parser
from parity.cli.flags import resolve
from parity.constants import FLAVOURS
from parity.data import batches
from parity.ladder import checkpoint, fit
from parity.ladder.checkpoint_schedule import is_best
from parity.numerics import tolerance
from parity.specs.callbacks import CallbacksSpec
from parity.specs.run import Spec
from parity_tests.conftest import Refused
from parity_tests.support import cases
from parity_tests.support.selection import first_of_each

TRAININGS = {
    **{name: {"optimizer": name} for name in cases.OPTIMIZERS},
    "schedule": {"optimizer": "adam", "schedule": cases.SCHEDULES["warmup"]},
    "stopped": {"optimizer": "adam", **cases.WHOLE["stopped"]},
    "plateau": {"optimizer": "momentum", **cases.WHOLE["plateau"]},
    "averaged": {"optimizer": "nesterov", **cases.WHOLE["averaged"]},
    "accumulated": {
        "optimizer": "rmsprop",
        "optimizer_fields": {
            "gradient_accumulation_steps": 3,
            "momentum": 0.5,
            "centered": True,
        },
    },
}
"""Everything that a state can hold."""

CUT = 7
"""Steps until the cut: amid the second epoch, and amid an accumulation."""


def spec_of(training: str, flavour: str, family: str = "softmax") -> Spec:
    """A whole spec of a small model."""
    variant = {
        "softmax": "hidden_32_16-logits",
        "cnn": "bn-c1-k3-s1-n8",
        "rnn": "gru_after-1-uni-fixed",
    }
    fields = {"training": {"epochs": 4}, **TRAININGS[training]}
    if training == "accumulated" and flavour == "tf_keras":
        pytest.skip("Keras 2 accumulates no gradients")
    return cases.spec_of(family, variant[family], flavour=flavour, **fields)


class CutHere(Exception):
    """Stands for the end of the process."""


class Cut(fit.Watch):
    """Writes a checkpoint after some steps, and ends there."""

    def __init__(self, model, spec: Spec, path: Path) -> None:
        self.model, self.spec, self.path = model, spec, path

    def state(self, history: History, epoch_ends: bool) -> None:
        if history.steps == CUT:
            dtype = history.losses[0].dtype.name
            checkpoint.write(self.path, self.spec, dtype, self.model.state(), history)
            raise CutHere


def trained(
    backend: Backend, spec: Spec, dtype: str, begun: tuple[State, History] | None = None
) -> tuple[History, dict[str, np.ndarray]]:
    """From the start, or from a checkpoint, to the end."""
    train, test = cases.splits_of(spec)
    model = backend.create(spec, dtype)
    model.feed(train)
    history = History()
    if begun:
        model.restore(begun[0])
        history = begun[1]
    fit.fit(model, spec, train, test, history, fit.Watch())
    return history, model.weights()


def cut(backend: Backend, spec: Spec, dtype: str, path: Path) -> None:
    """Train until the cut; its checkpoint is what remains."""
    train, test = cases.splits_of(spec)
    model = backend.create(spec, dtype)
    model.feed(train)
    with pytest.raises(CutHere):
        fit.fit(model, spec, train, test, History(), Cut(model, spec, path), chunk_steps=1)


@pytest.mark.flavour
@pytest.mark.parametrize(
    ("training", "first"),
    first_of_each(
        [(training, ("keras", "torch")[place % 2]) for place, training in enumerate(TRAININGS)],
        lambda training, first: training in cases.OPTIMIZERS or training,
        lambda training, first: first,
    ),
)
def test_training_goes_on_as_if_never_cut(
    first: str,
    training: str,
    flavour: str,
    keras_backend: Backend,
    torch_backend: Backend,
    tmp_path: Path,
) -> None:
    """By the same framework to the bit, by the other one within the limit of a whole training."""
    own, other = keras_backend, torch_backend
    if first == "torch":
        own, other = other, own
    spec = spec_of(training, flavour)
    cut(own, spec, "float64", tmp_path / "cut")
    whole, weights = trained(own, spec, "float64")
    for backend, limit in ((own, 0.0), (other, tolerance.FLOAT64["training"].limit)):
        begun = checkpoint.read(tmp_path / "cut", spec, "float64")
        assert begun[1].steps == CUT
        again, their_weights = trained(backend, spec, "float64", begun)
        assert len(again.epochs) == len(whole.epochs)
        assert again.stopped == whole.stopped
        x, y = (np.concatenate(one.losses) for one in (whole, again))
        assert np.array_equal(x[:CUT], y[:CUT])
        assert np.abs(x - y).max() <= limit * x.max()
        for before, after in zip(whole.epochs, again.epochs, strict=True):
            for name, value in before.items():
                assert abs(after[name] - value) <= limit * abs(value), name
        for name, value in weights.items():
            away = np.abs(their_weights[name] - value).max()
            assert away <= limit * np.abs(value).max(), name


@pytest.mark.flavour
@pytest.mark.parametrize(
    ("family", "which"),
    first_of_each(
        [
            *(("cnn", "keras_backend"), ("rnn", "torch_backend")),
            *(("rnn", "keras_backend"), ("cnn", "torch_backend")),
        ],
        lambda family, which: family,
        lambda family, which: "float32",
    ),
)
def test_float32_goes_on_with_the_very_numbers(
    family: str, which: str, flavour: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Masks, running statistics and both biases of a GRU go on too, to the bit."""
    backend = request.getfixturevalue(which)
    spec = spec_of("adam", flavour, family)
    cut(backend, spec, "float32", tmp_path / "cut")
    whole, weights = trained(backend, spec, "float32")
    begun = checkpoint.read(tmp_path / "cut", spec, "float32")
    again, their_weights = trained(backend, spec, "float32", begun)
    assert whole.epochs == again.epochs
    assert np.array_equal(np.concatenate(whole.losses), np.concatenate(again.losses))
    for name, value in weights.items():
        assert np.array_equal(value, their_weights[name]), name


@pytest.mark.parametrize("lost", ["slots", "best_weights", "calls", "early_stopping/wait"])
def test_what_is_lost_shows(lost: str, torch_backend: Backend, tmp_path: Path) -> None:
    """Each part of a state is needed: without it, training ends elsewhere."""
    callbacks = {"early_stopping": 2, "min_delta": 10, "restore_best_weights": True}
    spec = dataclasses.replace(
        spec_of("adam", FLAVOURS[0]), callbacks=CallbacksSpec(**callbacks)
    )  # the first epoch is the best one
    cut(torch_backend, spec, "float64", tmp_path / "cut")
    whole, weights = trained(torch_backend, spec, "float64")
    state, history = checkpoint.read(tmp_path / "cut", spec, "float64")
    if lost in ("slots", "best_weights"):
        setattr(state, lost, {name: 0 * value for name, value in getattr(state, lost).items()})
    else:
        state.numbers[lost] += 1
    again, their_weights = trained(torch_backend, spec, "float64", (state, history))
    losses = [np.concatenate(one.losses) for one in (whole, again)]
    kept = all(np.array_equal(value, their_weights[name]) for name, value in weights.items())
    assert not (kept and np.array_equal(*losses))


def test_best_only_writes_after_better_epochs() -> None:
    """The file is that of the best epoch so far; NaN is better than nothing, and then never."""
    history = [{"val_loss": value} for value in (2.0, 1.0, 1.0, float("nan"), 0.5)]
    best = [is_best("val_loss", history[: count + 1]) for count in range(len(history))]
    assert best == [True, True, False, False, True]
    rising = [{"val_accuracy": value} for value in (0.1, 0.3, 0.2, 0.4)]
    best = [is_best("val_accuracy", rising[: count + 1]) for count in range(len(rising))]
    assert best == [True, True, False, True]


@pytest.fixture
def written(torch_backend: Backend, tmp_path: Path) -> Path:
    """A checkpoint of the training that :data:`FLAGS` describe."""
    args = parser.backend_parser("torch").parse_args(["train", *FLAGS])
    dataset = resolve.dataset_for(args, "softmax")
    spec = resolve.spec_for(args, "softmax", dataset)
    train, _ = resolve.splits(spec, dataset)
    model = torch_backend.create(spec, "float32")
    model.feed(train)
    steps = batches.steps_per_epoch(spec.training, len(train.x)) + 3
    losses = np.concatenate(
        [model.train(chunk) for chunk in batches.chunks(spec, len(train.x), steps, 100)]
    )
    path = tmp_path / "cut"
    checkpoint.write(path, spec, "float32", model.state(), History([losses]))
    return path


FLAGS = (
    "--model",
    "softmax",
    "--dataset",
    "digits",
    "--optimizer",
    "adam",
    "--early-stopping",
    "3",
)


def _rewritten(path: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    """Change what a checkpoint holds, and give it the checksum of that."""
    with safe_open(path, framework="numpy") as opened:
        texts = opened.metadata()
        tensors = {name: opened.get_tensor(name) for name in opened.offset_keys()}
    change(tensors)
    del texts["sha256"]
    save_file(tensors, path, {**texts, "sha256": checkpoint.digest(tensors, texts)})


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut short": (lambda p: p.write_bytes(p.read_bytes()[:-1]), "damaged"),
    "cut in its header": (lambda p: p.write_bytes(p.read_bytes()[:100]), "damaged"),
    "empty": (lambda p: p.write_bytes(b""), "damaged"),
    "a bit turned": (
        lambda p: p.write_bytes(p.read_bytes()[:-9] + b"\xff" + p.read_bytes()[-8:]),
        "checksum",
    ),
    "something else": (lambda p: p.write_text("epoch,loss\n"), "not a checkpoint"),
    "other tensors": (lambda p: save_file({"x": np.zeros(2)}, p), "not a checkpoint"),
    "a slot is missing": (
        lambda p: _rewritten(p, lambda tensors: tensors.pop("slots/m/logits/bias")),
        "slots/m/logits/bias: received nothing",
    ),
    "a weight is missing": (
        lambda p: _rewritten(p, lambda tensors: tensors.pop("weights/logits/bias")),
        "weights/logits/bias: received nothing",
    ),
    "something more": (
        lambda p: _rewritten(p, lambda tensors: tensors.update(extra=np.zeros(2, np.float32))),
        "extra: received (2,)",
    ),
    "another shape": (
        lambda p: _rewritten(
            p, lambda tensors: tensors.update({"weights/logits/bias": np.zeros(3, np.float32)})
        ),
        "weights/logits/bias: received (3,)",
    ),
    "another dtype": (
        lambda p: _rewritten(
            p, lambda tensors: tensors.update({"weights/logits/bias": np.zeros(10)})
        ),
        "received float64, accepted: float32",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoints_are_refused(damage: str, written: Path, refused: Refused) -> None:
    """One line says what is amiss, and the file stays as it is."""
    spoil, says = DAMAGES[damage]
    spoil(written)
    before = written.read_bytes()
    line = refused("torch", "train", *FLAGS, "--resume", written)
    assert says in line
    assert written.read_bytes() == before


OTHERS = {
    "training.seed (0 in the file, 1 requested)": ("--seed", "1"),
    "optimizer.beta_1 (0.9 in the file, 0.8 requested)": ("--beta-1", "0.8"),
    "callbacks.monitor ('val_loss' in the file, 'loss' requested)": ("--monitor", "loss"),
    "dtype ('float32' in the file, 'float64' requested)": ("--dtype", "float64"),
    "schedule.name ('constant' in the file, 'cosine' requested)": ("--lr-schedule", "cosine"),
}


@pytest.mark.parametrize("says", OTHERS)
def test_checkpoints_of_another_training_are_refused(
    says: str, written: Path, refused: Refused
) -> None:
    """What is not as it was is named, with both values; nothing is overwritten."""
    before = written.read_bytes()
    assert says in refused("torch", "train", *FLAGS, *OTHERS[says], "--resume", written)
    assert written.read_bytes() == before


WRONG = {
    "fewer epochs": (("--resume", "cut", "--epochs", "1"), "at least 2, which cut has begun"),
    "no file": (("--resume", "nowhere"), "nowhere is not a file"),
    "there already": (("--checkpoint", "cut"), "cut exists already"),
    "steps alone": (("--checkpoint-steps", "3"), "accepted: with --checkpoint"),
    "best alone": (("--save-best-only",), "accepted: with --checkpoint"),
    "steps and best": (
        ("--checkpoint", "new", "--checkpoint-steps", "3", "--save-best-only"),
        "accepted: one of the two",
    ),
    "no steps": (("--checkpoint-steps", "0"), "accepted: a whole number >= 1"),
    "log there already": (("--csv-log", "cut"), "cut exists already"),
}


@pytest.mark.parametrize("case", WRONG)
def test_flags_of_checkpoints_are_checked(case: str, written: Path, refused: Refused) -> None:
    """A flag that says nothing, or would overwrite something, is refused."""
    flags, says = WRONG[case]
    assert says in refused("torch", "train", *FLAGS, *flags)
