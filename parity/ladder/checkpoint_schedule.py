"""When to write checkpoints, and the CSV log of epochs."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from parity.adapters.backend import Model
from parity.adapters.state import History
from parity.errors import ParityError
from parity.ladder import checkpoint
from parity.ladder.contents import HISTORY
from parity.specs.callbacks import MONITORS
from parity.specs.run import Spec
from parity.system.atomic import write_atomically


@dataclass
class Checkpoints:
    """Writes a checkpoint at the end of each epoch, and in between; always to the same file.

    Attributes:
        path: of the file.
        steps: smallest number of steps between two checkpoints; 0: only at the end of an epoch.
        best_only: only after an epoch that is better than all before.
        written: number of steps at the last checkpoint.
    """

    path: Path
    steps: int = 0
    best_only: bool = False
    written: int = 0

    def offer(
        self, model: Model, spec: Spec, dtype: str, history: History, epoch_ends: bool
    ) -> None:
        """Write a checkpoint if one is due."""
        if self.best_only:
            due = epoch_ends and is_best(spec.callbacks.monitor, history.epochs)
        else:
            due = epoch_ends or 0 < self.steps <= history.steps - self.written
        if due:
            checkpoint.write(self.path, spec, dtype, model.state(), history)
            self.written = history.steps


def is_best(monitor: str, history: list[dict[str, float]]) -> bool:
    """Return whether the last epoch is better than all before; NaN is worse than any number."""
    *before, last = (epoch[monitor] for epoch in history)
    if MONITORS[monitor] == "min":
        return all(last < value or value != value for value in before)
    return all(last > value or value != value for value in before)


def write_log(path: Path, history: list[dict[str, float]]) -> None:
    """Write the metrics of all epochs, numbered from 0, atomically to a CSV file.

    Raises:
        ParityError: the file cannot be written.
    """
    text = io.StringIO(newline="")
    rows = csv.DictWriter(text, ("epoch", *HISTORY), lineterminator="\n")
    rows.writeheader()
    rows.writerows({"epoch": number, **epoch} for number, epoch in enumerate(history))
    try:
        write_atomically(path, text.getvalue().encode())
    except ParityError as error:
        raise ParityError(f"--csv-log: {error}") from None
