"""The Keras that a run is of."""

from __future__ import annotations

import importlib
from typing import Any

import pytest


@pytest.fixture
def keras(flavour: str) -> Any:
    """``tf_keras`` or ``keras``."""
    return importlib.import_module({"tf_keras": "tf_keras", "keras3": "keras"}[flavour])
