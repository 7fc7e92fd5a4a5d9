"""Faults to inject into the project's own models, by subject."""

from __future__ import annotations

from parity_tests.meta.faults import (
    augmentation,
    convolution,
    data,
    dense,
    loss,
    noise,
    normalisation,
    optimizer,
    recurrent,
    regularisation,
    training,
)
from parity_tests.meta.planting import Fault

FAULTS: list[Fault] = [
    *dense.FAULTS,
    *convolution.FAULTS,
    *normalisation.FAULTS,
    *recurrent.FAULTS,
    *loss.FAULTS,
    *regularisation.FAULTS,
    *noise.FAULTS,
    *augmentation.FAULTS,
    *optimizer.FAULTS,
    *training.FAULTS,
    *data.FAULTS,
]
