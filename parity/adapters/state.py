"""State and history of a training between two steps, for checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class State:
    """Everything that is needed to resume a training.

    Attributes:
        weights: parameters and buffers by canonical name.
        slots: optimizer slots by ``slot/parameter``.
        best_weights: weights of the best epoch if a callback keeps them, else empty.
        numbers: ``calls`` of the optimizer, its ``learning_rate``, Nadam's ``product``, and the
            callbacks' counters (``early_stopping/wait``); None for values not set yet.
    """

    weights: dict[str, np.ndarray]
    slots: dict[str, np.ndarray]
    best_weights: dict[str, np.ndarray]
    numbers: dict[str, Any]


@dataclass
class History:
    """Losses and metrics of a training so far.

    Attributes:
        losses: loss of every step, in one array per chunk.
        epochs: metrics of every epoch.
        stopped: whether a callback stopped the training.
    """

    losses: list[np.ndarray] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)
    stopped: bool = False

    @property
    def steps(self) -> int:
        """Number of steps."""
        return sum(map(len, self.losses))
