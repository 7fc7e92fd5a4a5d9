"""Stop training when a metric no longer improves, and restore the best weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from torch_impl.fit.callback import MonitorCallback, check_count


class EarlyStopping(MonitorCallback):
    """Keras's ``EarlyStopping``.

    As in Keras, the best weights are restored even if training was not stopped. Until a value has
    improved (in Keras 2 a NaN is no improvement), the first epoch's weights count as the best.
    Source: ``tf_keras/src/callbacks.py``, ``keras/src/callbacks/early_stopping.py``.

    Args:
        model: the model whose ``state_dict`` (weights and buffers) is saved and restored.
        monitor: name in ``logs`` of the metric to watch.
        min_delta: minimum improvement, 0 or more; a value must be better by more than this.
        patience: number of consecutive epochs without improvement before stopping; 0 acts as 1.
        mode: ``min`` or ``max``: which values are better; ``auto``: depends on the name. In Keras
            2 larger is better if it ends in acc, accuracy or auc; for Keras 3 see
            :class:`MonitorCallback`.
        baseline: the epoch count restarts only for a value that is also better than this one.
        restore_best_weights: save the best epoch's weights and restore them at the end.
        start_from_epoch: earlier epochs are ignored.
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Attributes:
        best: the best value; before the first one ±∞ (Keras 2) or None (Keras 3).
        best_epoch: its epoch, from 0.
        stopped_epoch: the epoch at which training was stopped, from 0; 0 if it was not stopped.

    Raises:
        ValueError: a value is not accepted.
    """

    kept = ("best", "best_epoch", "best_weights", "stopped_epoch", "wait")

    def __init__(
        self,
        model: nn.Module,
        monitor: str = "val_loss",
        *,
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
        flavour: str = "tf_keras",
    ) -> None:
        super().__init__(monitor, mode, min_delta, flavour)
        self.model = model
        self.patience = check_count("patience", patience)
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = check_count("start_from_epoch", start_from_epoch)
        self.on_train_begin()

    @staticmethod
    def keras_2_rises(monitor: str) -> bool:
        """See :meth:`MonitorCallback.keras_2_rises`."""
        return monitor.endswith(("acc", "accuracy", "auc"))

    def on_train_begin(self) -> None:
        """Reset the state; only needed if the object is used for a second training."""
        self.best = self.first_best()
        self.best_epoch = 0
        self.best_weights: dict[str, Any] | None = None
        self.stopped_epoch = 0
        self.wait = 0

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> bool:
        """Process the metrics of an epoch.

        Args:
            epoch: its number, from 0; the first epoch never stops.
            logs: metrics by name, numbers or scalar tensors. If the monitored one is missing, there
                is a warning, and the epoch does not count.

        Returns:
            Whether to stop.
        """
        value = self.value(logs)
        if value is None or epoch < self.start_from_epoch:
            return False
        if self.restore_best_weights and self.best_weights is None:
            self._keep(epoch)
        self.wait += 1
        if self.better(value, self.best):
            self.best = value
            self.best_epoch = epoch
            if self.restore_best_weights:
                self._keep(epoch)
            if self.baseline is None or self.better(value, self.baseline):
                self.wait = 0
            return False
        if self.wait < self.patience or epoch == 0:
            return False
        self.stopped_epoch = epoch
        return True

    def on_train_end(self) -> None:
        """Restore the best weights, if they were saved."""
        if self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        self.best_weights = {
            name: value.detach().clone() if isinstance(value, Tensor) else copy.deepcopy(value)
            for name, value in self.model.state_dict().items()
        }
