"""Save a model after every epoch, every N batches, or whenever a metric improves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from torch_impl.fit.callback import MonitorCallback, check_count, plain


class ModelCheckpoint(MonitorCallback):
    """Keras's ``ModelCheckpoint`` with PyTorch's file format.

    A file gets its name only when it is complete. ``torch.load(weights_only=True)`` can read it. It
    contains ``{"model": model.state_dict(), …}``, or the model's ``state_dict`` alone.
    Source: ``tf_keras/src/callbacks.py``, ``keras/src/callbacks/model_checkpoint.py``.

    Args:
        model: the model to save.
        path: the file; ``{epoch}`` (from 1), ``{batch}`` (from 1, if saved after batches) and
            metrics (``{val_loss:.2f}``) are replaced by their values, as in ``str.format``. Folders
            are created. An existing file is replaced.
        others: further objects to save, by name: anything with a ``state_dict`` (optimizer,
            schedule, callbacks).
        monitor: name in ``logs`` of the metric to watch.
        save_best_only: save only when the metric improves. If it is missing, there is a warning;
            Keras 2 then saves nothing, Keras 3 saves.
        save_weights_only: save only the model's ``state_dict``, without the name ``model``.
        mode: ``min`` or ``max``: which values are better; ``auto``: depends on the name. In Keras
            2 larger is better if it contains acc or begins with fmeasure; for Keras 3 see
            :class:`MonitorCallback`.
        save_freq: ``epoch``, or a number of batches.
        initial_value_threshold: the initial best value.
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Raises:
        ValueError: a value is not accepted, or the path names a missing metric.
    """

    kept = ("best", "batches_since_saved", "last_batch")

    def __init__(
        self,
        model: nn.Module,
        path: str | Path,
        monitor: str = "val_loss",
        *,
        others: Mapping[str, Any] | None = None,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
        flavour: str = "tf_keras",
    ) -> None:
        super().__init__(monitor, mode, 0.0, flavour)
        if isinstance(save_freq, str) and save_freq != "epoch":
            raise ValueError(f"save_freq: received {save_freq!r}, accepted: 'epoch' or a number")
        if not isinstance(save_freq, str):
            check_count("save_freq", save_freq, 1)
        if others and save_weights_only:
            raise ValueError(
                f"others: received {', '.join(others)} with save_weights_only, accepted: none"
            )
        if "model" in (others or {}):
            raise ValueError("others: received the name 'model', accepted: any other")
        self.model = model
        self.path = str(path)
        self.others = dict(others or {})
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        if initial_value_threshold is not None:
            self.best = initial_value_threshold
        self.batches_since_saved = 0
        self.last_batch = -1

    @staticmethod
    def keras_2_rises(monitor: str) -> bool:
        """See :meth:`MonitorCallback.keras_2_rises`."""
        return "acc" in monitor or monitor.startswith("fmeasure")

    def on_batch_end(
        self, epoch: int, batch: int, logs: Mapping[str, Any] | None = None
    ) -> Path | None:
        """Save if ``save_freq`` batches have passed; not needed if it is ``epoch``.

        Args:
            epoch: its number, from 0.
            batch: its number within the epoch, from 0.
            logs: metrics by name, numbers or scalar tensors.

        Returns:
            The file written, or None.
        """
        if isinstance(self.save_freq, str):
            return None
        passed = batch + 1 if batch <= self.last_batch else batch - self.last_batch
        self.batches_since_saved += passed
        self.last_batch = batch
        if self.batches_since_saved < self.save_freq:
            return None
        self.batches_since_saved = 0
        return self._save(epoch, {"batch": batch + 1}, logs or {})

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> Path | None:
        """Save, unless ``save_freq`` counts batches.

        Args:
            epoch: its number, from 0.
            logs: metrics by name, numbers or scalar tensors.

        Returns:
            The file written, or None.
        """
        return self._save(epoch, {}, logs or {}) if self.save_freq == "epoch" else None

    def _save(self, epoch: int, place: dict[str, int], logs: Mapping[str, Any]) -> Path | None:
        names = {**place, **{name: plain(value) for name, value in logs.items()}}
        names["epoch"] = epoch + 1
        try:
            path = Path(self.path.format(**names))
        except (KeyError, IndexError) as error:
            raise ValueError(
                f"path: received {self.path!r} ({error}), accepted: with {', '.join(names)}"
            ) from None
        if self.save_best_only and not self._is_best(logs):
            return None
        if path.is_dir():
            raise ValueError(f"path: received the folder {str(path)!r}, accepted: a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        weights = self.model.state_dict()
        others = {name: other.state_dict() for name, other in self.others.items()}
        _write(weights if self.save_weights_only else {"model": weights, **others}, path)
        return path

    def _is_best(self, logs: Mapping[str, Any]) -> bool:
        value = self.value(logs)
        if value is None:
            return self.flavour == "keras3"
        if not self.better(value, self.best):
            return False
        self.best = value
        return True


def _write(content: dict[str, Any], path: Path) -> None:
    """Write to a temporary file first, so that no incomplete file gets the name."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
