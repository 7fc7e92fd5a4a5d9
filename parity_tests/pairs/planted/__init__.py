"""Faults in small pairs of users' own, by subject."""

from __future__ import annotations

from parity_tests.pairs.planted import (
    convolution,
    dense,
    normalisation,
    recurrent,
)
from parity_tests.pairs.planted.row import Row

ROWS: list[Row] = [
    *dense.FAULTS,
    *convolution.FAULTS,
    *normalisation.FAULTS,
    *recurrent.FAULTS,
]
