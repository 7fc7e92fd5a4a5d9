"""Faults in small pairs of models, by subject."""

from __future__ import annotations

from parity_tests.pairs.faults.planted import (
    convolution,
    dense,
    losses,
    noise,
    normalisation,
    optimizers,
    recurrent,
)
from parity_tests.pairs.faults.planted.row import Row

ROWS: list[Row] = [
    *dense.FAULTS,
    *convolution.FAULTS,
    *normalisation.FAULTS,
    *recurrent.FAULTS,
    *losses.FAULTS,
    *noise.FAULTS,
    *optimizers.FAULTS,
]
