"""The state of a training between two steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class State:
    """What a model has to go on from.

    Attributes:
        weights: canonical name to array, buffers included.
        slots: ``slot/parameter`` to array.
        best_weights: the best epoch's weights, where a callback keeps them, else empty.
        numbers: ``calls`` of the optimizer, its ``learning_rate``, Nadam's ``product``, and what
            callbacks count (``early_stopping/wait``); None where there is none yet.
    """

    weights: dict[str, np.ndarray]
    slots: dict[str, np.ndarray]
    best_weights: dict[str, np.ndarray]
    numbers: dict[str, Any]


@dataclass
class History:
    """How far a training has come.

    Attributes:
        losses: of every step so far, one array for each piece.
        epochs: metrics of every epoch so far.
        stopped: whether a callback ended it.
    """

    losses: list[np.ndarray] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)
    stopped: bool = False

    @property
    def steps(self) -> int:
        """Steps taken."""
        return sum(map(len, self.losses))
