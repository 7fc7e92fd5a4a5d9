"""Early stopping and learning-rate reduction: callbacks that act like Keras's.

Twin: ``keras_impl/parts/callbacks.py``.
Deliberate differences: here a callback stops training by its return value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import nn

from parity.specs.callbacks import MONITORS, CallbacksSpec
from torch_impl.fit import EarlyStopping, ReduceLROnPlateau
from torch_impl.optim import KerasOptimizer

Weights = dict[str, np.ndarray]


class Watched(nn.Module):
    """The part of a module that callbacks use, with weights by canonical name."""

    def __init__(
        self, optimizer: KerasOptimizer, get: Callable[[], Weights], put: Callable[[Weights], None]
    ) -> None:
        super().__init__()
        self.optimizer = optimizer
        self._get, self._put = get, put

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """All weights and buffers."""
        return self._get()

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Set all weights and buffers."""
        self._put(dict(state_dict))


class Callbacks:
    """The callbacks of a spec."""

    def __init__(self, spec: CallbacksSpec, watched: Watched, flavour: str) -> None:
        mode = MONITORS[spec.monitor]
        self.early_stopping = self.plateau = None
        if spec.early_stopping:
            self.early_stopping = EarlyStopping(
                watched,
                spec.monitor,
                min_delta=spec.min_delta or 0.0,
                patience=spec.early_stopping,
                mode=mode,
                baseline=None,
                restore_best_weights=bool(spec.restore_best_weights),
                start_from_epoch=spec.start_from_epoch or 0,
                flavour=flavour,
            )
        if spec.reduce_lr_on_plateau:
            self.plateau = ReduceLROnPlateau(
                watched.optimizer,
                spec.monitor,
                factor=spec.plateau_factor or 0.0,
                patience=spec.reduce_lr_on_plateau,
                mode=mode,
                min_delta=spec.plateau_min_delta or 0.0,
                cooldown=spec.plateau_cooldown or 0,
                min_lr=spec.min_learning_rate or 0.0,
                flavour=flavour,
            )

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> bool:
        """Process the metrics of an epoch, numbered from 0; return whether to stop."""
        stop = False
        if self.early_stopping:
            stop = self.early_stopping.on_epoch_end(epoch, dict(logs))
        if self.plateau:
            self.plateau.on_epoch_end(epoch, dict(logs))
        return stop

    def end(self) -> None:
        """Restore the best weights, if they were saved."""
        if self.early_stopping:
            self.early_stopping.on_train_end()

    def state(self) -> tuple[Weights, dict[str, Any]]:
        """The best weights, if they were saved, and the counters by ``callback/name``."""
        numbers: dict[str, Any] = {}
        best_weights: Weights = {}
        if self.early_stopping:
            state = self.early_stopping.state_dict()
            best_weights = state.pop("best_weights") or {}
            numbers |= {f"early_stopping/{name}": value for name, value in state.items()}
        if self.plateau:
            state = self.plateau.state_dict()
            numbers |= {f"reduce_lr_on_plateau/{name}": value for name, value in state.items()}
        return best_weights, numbers

    def restore(self, best_weights: Weights, numbers: Mapping[str, Any]) -> None:
        """Restore the result of :meth:`state`, from either framework."""
        of: dict[str, dict[str, Any]] = {"early_stopping": {}, "reduce_lr_on_plateau": {}}
        for name, value in numbers.items():
            callback, _, counted = name.partition("/")
            of[callback][counted] = value
        if self.early_stopping:
            kept = {"best_weights": dict(best_weights) or None, **of["early_stopping"]}
            self.early_stopping.load_state_dict(kept)
        if self.plateau:
            self.plateau.load_state_dict(of["reduce_lr_on_plateau"])
