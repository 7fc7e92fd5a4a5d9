"""Measure whole commands: the cost of a check, and the time to the first result."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, figure, ratio
from parity.specs.registry import MODELS

STEPS = 10
"""Optimizer steps of a ladder, and of the trainings that it is compared with."""

BATCH = 200
"""Examples per step, so that the embedded Fashion-MNIST's 2,000 make one epoch of ten steps."""

BATCHES = {"rnn": 27}
"""The same for the 270 sequences of Japanese Vowels."""

MODULES = ("keras_impl", "torch_impl")

FIT = """
import {keras} as keras
from parity.data import datasets
train = datasets.load("fashion_mnist").train
layers = keras.layers
model = keras.Sequential([keras.Input((28, 28, 1)), {stack}, layers.Dense(10)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
model.fit(train.x, train.y, batch_size=64, epochs=1, verbose=2)
"""
"""A script that prints its first epoch as early as possible."""

STACKS = {
    "softmax": 'layers.Flatten(), layers.Dense(128, activation="relu")',
    "cnn": 'layers.Conv2D(16, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(), '
    "layers.MaxPooling2D(), layers.SpatialDropout2D(0.1), "
    'layers.Conv2D(32, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(), '
    "layers.MaxPooling2D(), layers.SpatialDropout2D(0.1), layers.Flatten(), "
    'layers.Dense(128, activation="relu")',
}


def check(repeats: int, quick: bool = False) -> dict[str, Any]:
    """Seconds of a ladder in both dtypes, and of trainings with as many steps.

    Returns:
        By model ``check``, ``training`` (both frameworks, each dtype once, one after the other) and
        their ``ratio``, round by round; under ``all models`` ``run``, ``one after the other``
        (both ``record``, then ``compare``) and theirs. Where it must be quick, one model, once.
    """
    repeats, families = (1, ["softmax"]) if quick else (repeats, [*MODELS])
    found = {}
    for family in families:
        batch = [f"--batch-size={BATCHES.get(family, BATCH)}"]
        ladder = ["--model", family, "--dtype", "float64", "float32", f"--steps={STEPS}", *batch]
        taken = _in_turns(
            {
                "check": lambda out, flags=ladder: _run("parity", "run", *flags, f"--out={out}"),
                "training": lambda out, family=family, batch=batch: _train(family, batch),
            },
            repeats,
        )
        found[family] = {**taken, "ratio": ratio(taken["check"], taken["training"])}
    if quick:
        return found
    flags = ["--model", *families, "--dtype", "float64", "float32"]
    taken = _in_turns(
        {
            "run": lambda out: _run("parity", "run", *flags, f"--out={out}"),
            "one after the other": lambda out: _one_after_the_other(out, flags),
        },
        repeats,
    )
    times = ratio(taken["one after the other"], taken["run"])
    return {**found, "all models": {**taken, "ratio": times}}


def first_result(repeats: int, quick: bool = False) -> dict[str, Any]:
    """Seconds from the start of the command until it prints its first epoch."""
    found = {}
    repeats = 1 if quick else repeats
    for family in ["softmax"] if quick else [*STACKS]:
        train = ["train", "--model", family, "--epochs=1"]
        commands = {
            "keras_impl": ["-m", "keras_impl", *train],
            "fit, Keras 2": ["-c", FIT.format(keras="tf_keras", stack=STACKS[family])],
            "keras_impl, Keras 3": ["-m", "keras_impl", *train, "--flavour=keras3"],
            "fit, Keras 3": ["-c", FIT.format(keras="keras", stack=STACKS[family])],
            "torch_impl": ["-m", "torch_impl", *train],
        }
        found[family] = _in_turns(
            {name: lambda _, given=given: _until_line(given) for name, given in commands.items()},
            repeats,
        )
    return found


def _in_turns(functions: Mapping[str, Callable[[Path], Any]], repeats: int) -> dict[str, Figure]:
    """Seconds of each command, which receives an output folder, or the seconds that it returns."""
    taken: dict[str, list[float]] = {name: [] for name in functions}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for repeat in range(repeats):
            for name, function in functions.items():
                began = time.perf_counter()
                said = function(Path(folder) / f"{repeat}-{name.replace(' ', '-')}")
                taken[name].append(said or time.perf_counter() - began)
    return {name: figure(seconds) for name, seconds in taken.items()}


def _run(module: str, *arguments: str) -> None:
    """Run a command to its end.

    Raises:
        CalledProcessError: it failed.
    """
    command = (
        ["-c", "from parity.cli import main; main()"] if module == "parity" else ["-m", module]
    )
    subprocess.run([sys.executable, *command, *arguments], capture_output=True, check=True)


def _train(family: str, batch: list[str]) -> None:
    for module in MODULES:
        for dtype in ("float64", "float32"):
            flags = ["--model", family, "--epochs=1", f"--dtype={dtype}", *batch]
            _run(module, "train", *flags)


def _one_after_the_other(out: Path, flags: list[str]) -> None:
    for module in MODULES:
        _run(module, "record", *flags, f"--out={out / module}")
    _run("parity", "compare", *(str(out / module) for module in MODULES))


def _until_line(arguments: list[str]) -> float:
    """Seconds until the command prints a loss."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-u", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "loss" in line:
                seconds = time.perf_counter() - began
                process.communicate()
                return seconds
    raise RuntimeError(f"{arguments}: no loss was told")
