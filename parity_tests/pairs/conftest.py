"""TensorFlow's threads are set before a test starts it: they cannot be afterwards."""

from __future__ import annotations

import pytest

from parity.adapters.backend import Backend


@pytest.fixture(autouse=True, scope="session")
def started(keras_backend: Backend) -> None:
    """The backend that the other tests share has been made."""
