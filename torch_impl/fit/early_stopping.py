"""Stop when a metric has not become better for some epochs, and go back to the best weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from torch_impl.fit.callback import MonitorCallback, check_count


class EarlyStopping(MonitorCallback):
    """Keras's ``EarlyStopping``; PyTorch has none.

    The best weights come back also where training ran to its end, as in Keras. Until a value was
    better than all before (in Keras 2: a NaN is not) the first epoch's weights count as the best.
    Source: ``tf_keras/src/callbacks.py``, ``keras/src/callbacks/early_stopping.py``.

    Args:
        model: whose weights and buffers are kept and put back: its whole ``state_dict``.
        monitor: name in ``logs`` of the metric to watch.
        min_delta: a value is better only by more than this; 0 or more.
        patience: stop at the so-many-th epoch in a row without a better value; 0 is as 1.
        mode: ``min`` or ``max``, what is better; ``auto``: by the name. In Keras 2 more is better
            where it ends in acc, accuracy or auc; see :class:`MonitorCallback` for Keras 3.
        baseline: patience begins anew only with a value that is better than this one, too.
        restore_best_weights: keep the best epoch's weights and put them back at the end.
        start_from_epoch: earlier ones do not count, nor can their weights be the best.
        flavour: ``tf_keras`` (Keras 2) or ``keras3``.

    Attributes:
        best: the best value; in Keras 2 ±∞ and in Keras 3 None before there is one.
        best_epoch: its epoch, from 0.
        stopped_epoch: the epoch that training was stopped at, from 0; 0: it was not.

    Raises:
        ValueError: a value is none of those accepted.
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
        """Forget everything; only needed before the same object serves a second training."""
        self.best = self.first_best()
        self.best_epoch = 0
        self.best_weights: dict[str, Any] | None = None
        self.stopped_epoch = 0
        self.wait = 0

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> bool:
        """Look at the epoch's metrics.

        Args:
            epoch: its number, from 0; the first one never stops.
            logs: metrics by name, numbers or tensors of one. Without the one that is watched
                there is a warning, and the epoch does not count.

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
        """Put the best weights back, if they are kept."""
        if self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        self.best_weights = {
            name: value.detach().clone() if isinstance(value, Tensor) else copy.deepcopy(value)
            for name, value in self.model.state_dict().items()
        }
