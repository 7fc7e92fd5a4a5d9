"""When a training's checkpoints are written, and its log of epochs."""

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
    """Writes one file, again and again.

    Attributes:
        path: of the file.
        steps: least number of steps between two, 0: at the end of an epoch only.
        best_only: only at the end of an epoch that is better than all before.
        written: steps taken at the last one.
    """

    path: Path
    steps: int = 0
    best_only: bool = False
    written: int = 0

    def offer(
        self, model: Model, spec: Spec, dtype: str, history: History, epoch_ends: bool
    ) -> None:
        """Write if it is time."""
        if self.best_only:
            due = epoch_ends and is_best(spec.callbacks.monitor, history.epochs)
        else:
            due = epoch_ends or 0 < self.steps <= history.steps - self.written
        if due:
            checkpoint.write(self.path, spec, dtype, model.state(), history)
            self.written = history.steps


def is_best(monitor: str, history: list[dict[str, float]]) -> bool:
    """Whether the last epoch is better than all before; NaN never is, but for the first."""
    *before, last = (epoch[monitor] for epoch in history)
    if MONITORS[monitor] == "min":
        return all(last < value or value != value for value in before)
    return all(last > value or value != value for value in before)


def write_log(path: Path, history: list[dict[str, float]]) -> None:
    """All epochs so far as a CSV file, whole or not at all: a row each, numbered from 0.

    Raises:
        ParityError: it cannot be written.
    """
    text = io.StringIO(newline="")
    rows = csv.DictWriter(text, ("epoch", *HISTORY), lineterminator="\n")
    rows.writeheader()
    rows.writerows({"epoch": number, **epoch} for number, epoch in enumerate(history))
    try:
        write_atomically(path, text.getvalue().encode())
    except ParityError as error:
        raise ParityError(f"--csv-log: {error}") from None
