"""Write each epoch's metrics into a row of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch_impl.fit.callback import Callback, plain


class CSVLogger(Callback):
    r"""Keras's ``CSVLogger``: the same bytes for the same numbers; PyTorch has none.

    The first epoch decides the columns: ``epoch``, then its metrics by name, then, if none begins
    with ``val_``, each again with that before it (for validation that comes later). What is
    missing is ``NA``; later newcomers are left out. Rows end in ``\r\n``.
    Source: ``tf_keras/src/callbacks.py``, ``keras/src/callbacks/csv_logger.py``.

    Args:
        path: the file, overwritten when this object is made, unless ``append`` is set.
        separator: one character.
        append: go on at the file's end, without another header.

    Raises:
        ValueError: a value is none of those accepted.
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
        """Write a row, at once.

        Args:
            epoch: its number, from 0.
            logs: metrics by name: numbers, texts, tensors, or lists of them.
        """
        logs = logs or {}
        if self.columns is None:
            self.columns = sorted(logs)
            if not any(name.startswith("val_") for name in self.columns):
                self.columns += [f"val_{name}" for name in self.columns]
        # opened for each row: nothing is lost, and no file left open, if training breaks off
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=self.separator)
            if self._header:
                writer.writerow(["epoch", *self.columns])
                self._header = False
            writer.writerow([epoch, *(_cell(logs.get(name, "NA")) for name in self.columns)])

    def on_train_end(self) -> None:
        """Nothing: the file is whole after every row."""


def _cell(value: Any) -> Any:
    value = plain(value)
    single = isinstance(value, str) or getattr(value, "ndim", None) == 0
    if isinstance(value, Iterable) and not single:
        return f'"[{", ".join(map(str, map(plain, value)))}]"'
    return value
