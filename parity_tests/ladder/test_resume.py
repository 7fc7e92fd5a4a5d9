"""Whole trainings as users start them: killed and gone on with, compared from the command line."""

from __future__ import annotations

import csv
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from parity.ladder import record
from parity.numerics import tolerance
from parity_tests.cli.test_entry_points import SMALL, command, started, succeed
from parity_tests.conftest import Run
from parity_tests.support.selection import first_of_each

TRAINING = [
    *("train", "--model", "dropout", *SMALL, "--dtype", "float64", "--epochs", "12"),
    *("--optimizer", "nadam", "--lr-schedule", "cosine_restarts", "--label-smoothing", "0.1"),
    *("--early-stopping", "3", "--min-delta", "0.05", "--restore-best-weights"),
]


def killed(entry: str, checkpoint: Path) -> None:
    """Train with a checkpoint after every step, and kill the process amid the second epoch."""
    flags = command(entry, *TRAINING, "--checkpoint", checkpoint, "--checkpoint-steps", 1)
    with started(*flags) as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        next(line for line in lines if line.startswith("epoch 1/"))
        written = checkpoint.stat().st_mtime_ns
        while checkpoint.stat().st_mtime_ns == written:
            time.sleep(0.001)
        process.kill()
        assert process.wait() == -9


def trained(
    run: Run, entry: str, out: Path, *flags: object
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Train to the end: every tensor that is kept, and the log of epochs."""
    log = out.with_suffix(".csv")
    said = run(entry, *TRAINING, *flags, "--out", out, "--csv-log", log)
    assert ("resumed after step" in said) == bool(flags)
    assert "best epoch's weights" in said
    with record.read(out) as kept:
        tensors = {name: kept.tensor(name) for name in kept.names}
    with log.open() as lines:
        epochs = [list(map(float, row.values())) for row in csv.DictReader(lines)]
    return tensors, np.array(epochs)


@pytest.mark.parametrize(
    ("entry", "other"),
    first_of_each([("torch", "keras"), ("keras", "torch")], lambda *_: "resumed"),
)
def test_killed_training_is_resumed_with_the_very_numbers(
    entry: str, other: str, tmp_path: Path, run_here: Run
) -> None:
    """``kill -9`` amid an epoch, then ``--resume``: the same bits; by the other, the same run."""
    whole, epochs = trained(run_here, entry, tmp_path / "whole")
    killed(entry, tmp_path / "checkpoint")
    shutil.copy(tmp_path / "checkpoint", tmp_path / "copy")
    again, their_epochs = trained(
        succeed, entry, tmp_path / "again", "--resume", tmp_path / "checkpoint"
    )
    assert np.array_equal(epochs, their_epochs)
    assert whole.keys() == again.keys()
    for name, value in whole.items():
        assert np.array_equal(value, again[name]), name
    theirs, their_epochs = trained(
        run_here, other, tmp_path / "theirs", "--resume", tmp_path / "copy"
    )
    limit = tolerance.FLOAT64["training"].limit
    assert np.abs(epochs - their_epochs).max() <= limit * np.abs(epochs).max()
    for name, value in whole.items():
        assert np.abs(value - theirs[name]).max() <= limit * np.abs(value).max(), name


def test_whole_training_is_compared(tmp_path: Path) -> None:
    """``parity run --epochs`` compares the ladder and the training behind it, and says how far."""
    flags = ("--model", "softmax", *SMALL, "--dtype", "float64", "--epochs", 9)
    callbacks = ("--early-stopping", 2, "--min-delta", 0.3, "--lr-schedule", "polynomial")
    said = succeed("parity", "run", *flags, *callbacks, "--out", tmp_path / "run")
    assert "whole training" in said
    assert "SAME: softmax" in said
    for side in ("keras", "torch"):
        assert f"whole training, {side}: " in said
        with record.read(tmp_path / "run" / side) as made:
            epochs = int(made.tensor("float64/training/epochs"))
            assert made.header.results["float64"]["whole"]["epochs"] == epochs < 9
    assert f"{epochs} of 9 epochs" in said
