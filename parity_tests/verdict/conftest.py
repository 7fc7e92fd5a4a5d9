"""Equal pairs of records, which a test changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parity_tests.support import records
from parity_tests.support.records import Pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, records.spec())


@pytest.fixture
def batch_norm(tmp_path: Path) -> Pair:
    """A model whose conv bias has a null gradient."""
    pair = Pair(tmp_path, records.spec("cnn"))
    for backend, values in (("keras", pair.keras), ("torch", pair.torch)):
        size = 1e-14 if backend == "keras" else 3e-14
        values["float64/gradients/conv_1/bias"] = np.array([size, 0.0, -size / 2])
        values["float32/gradients/conv_1/bias"] = np.full(3, 1e8 * size, "f4")
        pair.set_header(backend, null_gradients={"conv_1/bias": size})
    return pair


@pytest.fixture
def cnn(tmp_path: Path) -> Pair:
    """Convolution, batch norm, activation, pooling, flatten, logits."""
    return Pair(tmp_path, records.spec("cnn"))


@pytest.fixture
def dropout(tmp_path: Path) -> Pair:
    """Flatten, a dense layer, its activation, dropout, logits."""
    return Pair(tmp_path, records.spec("dropout"))
