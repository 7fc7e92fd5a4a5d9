"""A record to read or to damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity.ladder import record
from parity_tests.record.made_up import HEADER, TENSORS


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "made"
    record.write(path, HEADER, TENSORS)
    return path
