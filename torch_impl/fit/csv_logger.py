"""Write each epoch's metrics into a row of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch_impl.fit.callback import Callback, plain


class CSVLogger(Callback):
    r"""Keras's ``CSVLogger``: writes the same bytes for the same numbers.

    The first epoch determines the columns: ``epoch``, its metrics sorted by name, and, if no name
    begins with ``val_``, each name again with this prefix (for later validation). Missing values
    are ``NA``; metrics that are new in later epochs are omitted. Rows end with ``\r\n``.
    Source: ``tf_keras/src/callbacks.py``, ``keras/src/callbacks/csv_logger.py``.

    Args:
        path: the file; it is emptied at once unless ``append`` is set.
        separator: one character.
        append: continue at the end of the file, without another header.

    Raises:
        ValueError: a value is not accepted.
    """

    kept = ("columns",)

    def __init__(self, path: str | Path, *, separator: str = ",", append: bool = False) -> None:
        if len(separator) != 1 or separator in '\r\n"':
            raise ValueError(
                f"separator: received {separator!r}, accepted: one character, no quote or newline"
            )
        self.path = Path(path)
        if self.path.is_dir():
            raise ValueError(f"path: received the folder {str(path)!r}, accepted: a file")
        self.separator = separator
        self.columns: list[str] | None = None
        begun = append and self.path.exists() and self.path.stat().st_size > 0
        self._header = not begun
        self.path.open("a" if append else "w").close()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Write a row immediately.

        Args:
            epoch: its number, from 0.
            logs: metrics by name: numbers, texts, tensors, or lists of them.
        """
        logs = logs or {}
        if self.columns is None:
            self.columns = sorted(logs)
            if not any(name.startswith("val_") for name in self.columns):
                self.columns += [f"val_{name}" for name in self.columns]
        # opened for each row, so that an interrupted training loses nothing
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=self.separator)
            if self._header:
                writer.writerow(["epoch", *self.columns])
                self._header = False
            writer.writerow([epoch, *(_cell(logs.get(name, "NA")) for name in self.columns)])

    def on_train_end(self) -> None:
        """Do nothing: the file is complete after every row."""


def _cell(value: Any) -> Any:
    value = plain(value)
    single = isinstance(value, str) or getattr(value, "ndim", None) == 0
    if isinstance(value, Iterable) and not single:
        return f'"[{", ".join(map(str, map(plain, value)))}]"'
    return value
