"""What a model gives that runs as its owner runs it: nothing is watched, patched or promoted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from parity.adapters.trainer import Key


@dataclass(frozen=True)
class PlainTraining:
    """Some optimizer steps of a model.

    Attributes:
        losses: before each step, penalties included.
        first: weights after the first step, by layer and canonical name.
        last: weights after the last step.
        random: whether the model draws random numbers in training that could not be switched off.
    """

    losses: tuple[float, ...]
    first: Mapping[Key, np.ndarray]
    last: Mapping[Key, np.ndarray]
    random: bool
