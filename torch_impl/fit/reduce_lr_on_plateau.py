"""Reduce the learning rate when a metric no longer improves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from torch_impl.fit.callback import MonitorCallback, check_count


class ReduceLROnPlateau(MonitorCallback):
    """Keras's ``ReduceLROnPlateau``: α ← max(α·factor, min_lr).

    PyTorch's class waits one epoch longer before it reduces, counts one epoch less of a cooldown,
    treats the threshold as relative to the best value, and skips reductions smaller than 1e-8.
    ``(patience=p - 1, cooldown=max(c - 1, 0), threshold=d, threshold_mode="abs", eps=0)`` makes it
    reduce at the same epochs as Keras 2.
    Keras stores the rate in ``floatx``. Here it is float64 if the group's weights are, otherwise
    float32.
    Source: ``tf_keras/src/callbacks.py``, ``keras/src/callbacks/reduce_lr_on_plateau.py``.

    Args:
        optimizer: any of ``torch.optim`` or :mod:`torch_impl.optim`; the rate of each of its groups
            is reduced. A scheduler that computes rates itself would overwrite them.
        monitor: name in ``logs`` of the metric to watch.
        factor: 0 to below 1.
        patience: number of consecutive epochs without improvement before reducing; 0 acts as 1.
        mode: ``min`` or ``max``: which values are better; ``auto``: depends on the name. In Keras
            2 larger is better if it contains acc (auc does not count, unlike in
            ``EarlyStopping``); for Keras 3 see :class:`MonitorCallback`.
        min_delta: minimum improvement, 0 or more; a value must be better by more than this.
        cooldown: number of epochs after a reduction that do not count for ``patience``.
        min_lr: smallest rate, 0 or more.
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Raises:
        ValueError: a value is not accepted.
    """

    kept = ("best", "cooldown_counter", "wait")

    def __init__(
        self,
        optimizer: Optimizer,
        monitor: str = "val_loss",
        *,
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        flavour: str = "tf_keras",
    ) -> None:
        super().__init__(monitor, mode, min_delta, flavour)
        if not 0 <= factor < 1:
            raise ValueError(f"factor: received {factor}, accepted: 0 to below 1")
        if not 0 <= min_lr < math.inf:
            raise ValueError(f"min_lr: received {min_lr}, accepted: 0 or more, finite")
        self.optimizer = optimizer
        self.factor = factor
        self.patience = check_count("patience", patience)
        self.cooldown = check_count("cooldown", cooldown)
        self.min_lr = min_lr
        self.on_train_begin()

    @staticmethod
    def keras_2_rises(monitor: str) -> bool:
        """See :meth:`MonitorCallback.keras_2_rises`."""
        return "acc" in monitor

    def better(self, value: float, reference: float | None) -> bool:
        """See :meth:`MonitorCallback.better`; Keras 2 shifts the best value instead."""
        if reference is None or self.flavour == "keras3":
            return super().better(value, reference)
        if self.rises:
            return value > reference + self.min_delta
        return value < reference - self.min_delta

    def on_train_begin(self) -> None:
        """Reset the state; only needed if the object is used for a second training."""
        self.best = self.first_best()
        self.cooldown_counter = 0
        self.wait = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> bool:
        """Process the metrics of an epoch.

        Args:
            epoch: its number; it has no effect.
            logs: metrics by name, numbers or tensors of one; as in Keras, the rate that the epoch
                had is put among them, of the first group, as ``lr`` (Keras 2) or
                ``learning_rate``. Without the metric that is watched there is a warning, and the
                epoch does not count.

        Returns:
            Whether a rate was reduced.
        """
        logs = {} if logs is None else logs
        rate = _rate(self.optimizer.param_groups[0])
        logs.update({"lr": rate} if self.flavour == "tf_keras" else {"learning_rate": float(rate)})
        value = self.value(logs)
        if value is None:
            return False
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.better(value, self.best):
            self.best = value
            self.wait = 0
            return False
        if self.cooldown_counter > 0:
            return False
        self.wait += 1
        if self.wait < self.patience:
            return False
        reduced = [self._reduce(group) for group in self.optimizer.param_groups]
        if not any(reduced):
            return False
        self.cooldown_counter = self.cooldown
        self.wait = 0
        return True

    def _reduce(self, group: dict[str, Any]) -> bool:
        """Reduce a group's rate if it is above the minimum; return whether it was."""
        rate = _rate(group)
        kind, smallest = type(rate), np.float32(self.min_lr)
        if self.flavour == "tf_keras":
            above = rate > smallest
            new = max(rate * kind(self.factor), kind(self.min_lr))
        else:  # Keras 3 compares in float32 and multiplies in double precision
            above = np.float32(rate) > smallest
            new = kind(max(float(rate) * self.factor, self.min_lr))
        if not above:
            return False
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(float(new))
        else:
            group["lr"] = float(new)
        return True


def _rate(group: dict[str, Any]) -> np.float32 | np.float64:
    """A group's learning rate in the dtype that Keras stores it in."""
    kind = np.float64 if group["params"][0].dtype == torch.float64 else np.float32
    return kind(float(group["lr"]))
