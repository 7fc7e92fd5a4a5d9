"""A Keras model for the callbacks."""

from __future__ import annotations

from typing import Any

import pytest

from parity.adapters.backend import Backend
from parity_tests.torch_impl.callbacks.metric_sequences import keras_model_in


@pytest.fixture(scope="module")
def keras_model(keras_backend: Backend) -> Any:
    """A compiled Keras model of two weights, whose metrics are built."""
    return keras_model_in("float32")
