"""Early stopping and learning-rate reduction: Keras's callbacks.

Twin: ``torch_impl/parts/callbacks.py``.
Deliberate differences: here a callback stops training by an attribute of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_impl.framework import keras
from parity.specs.callbacks import MONITORS, CallbacksSpec

Weights = dict[str, np.ndarray]

_OF_EARLY_STOPPING = ("best", "best_epoch", "stopped_epoch", "wait")
_OF_PLATEAU = ("best", "cooldown_counter", "wait")


class Watched:
    """The part of ``keras.Model`` that callbacks use, with weights by canonical name."""

    def __init__(
        self, optimizer: Any, get: Callable[[], Weights], put: Callable[[Weights], None]
    ) -> None:
        self.optimizer = optimizer
        self.get_weights, self.set_weights = get, put
        self.stop_training = False


class Callbacks:
    """The callbacks of a spec."""

    def __init__(self, spec: CallbacksSpec, watched: Watched) -> None:
        mode = MONITORS[spec.monitor]
        self.watched = watched
        self.early_stopping = self.plateau = None
        if spec.early_stopping:
            self.early_stopping = keras.callbacks.EarlyStopping(
                spec.monitor,
                min_delta=spec.min_delta,
                patience=spec.early_stopping,
                mode=mode,
                baseline=None,
                restore_best_weights=spec.restore_best_weights,
                start_from_epoch=spec.start_from_epoch,
                verbose=0,
            )
        if spec.reduce_lr_on_plateau:
            self.plateau = keras.callbacks.ReduceLROnPlateau(
                spec.monitor,
                factor=spec.plateau_factor,
                patience=spec.reduce_lr_on_plateau,
                mode=mode,
                min_delta=spec.plateau_min_delta,
                cooldown=spec.plateau_cooldown,
                min_lr=spec.min_learning_rate,
                verbose=0,
            )
        for callback in filter(None, (self.early_stopping, self.plateau)):
            callback.set_model(watched)
            callback.on_train_begin()

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> bool:
        """Process the metrics of an epoch, numbered from 0; return whether to stop."""
        for callback in filter(None, (self.early_stopping, self.plateau)):
            callback.on_epoch_end(epoch, dict(logs))
        return self.watched.stop_training

    def end(self) -> None:
        """Restore the best weights, if they were saved."""
        for callback in filter(None, (self.early_stopping, self.plateau)):
            callback.on_train_end()

    def state(self) -> tuple[Weights, dict[str, Any]]:
        """The best weights, if they were saved, and the counters by ``callback/name``."""
        numbers: dict[str, Any] = {}
        if self.early_stopping:
            numbers |= _read(self.early_stopping, "early_stopping", _OF_EARLY_STOPPING)
        if self.plateau:
            numbers |= _read(self.plateau, "reduce_lr_on_plateau", _OF_PLATEAU)
        return getattr(self.early_stopping, "best_weights", None) or {}, numbers

    def restore(self, best_weights: Weights, numbers: Mapping[str, Any]) -> None:
        """Restore the result of :meth:`state`, from either framework."""
        for name, value in numbers.items():
            callback, _, counted = name.partition("/")
            owner = self.early_stopping if callback == "early_stopping" else self.plateau
            setattr(owner, counted, value)
        if self.early_stopping:
            self.early_stopping.best_weights = dict(best_weights) or None


def _read(callback: Any, prefix: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Attributes as plain numbers; None if not set yet."""
    values = ((name, getattr(callback, name)) for name in names)
    return {f"{prefix}/{name}": None if v is None else _plain(v) for name, v in values}


def _plain(value: Any) -> int | float:
    return value if isinstance(value, int) else float(value)
