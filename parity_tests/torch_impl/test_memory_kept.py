"""PyTorch's training reuses the memory of a step in the next one."""

from __future__ import annotations

import subprocess
import sys

import pytest

MEASURED = """
import sys
import torch
from parity.adapters.backend import Settings
from torch_impl import framework

if sys.argv[1] == "kept":
    framework.configure(Settings("tf_keras"))

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

before = resident()
torch.ones(1 << 24)
print(resident() - before)
"""
SIZE = 4 << 24


@pytest.mark.parametrize(("how", "least", "most"), [("kept", 0.9, 1.1), ("given back", -0.1, 0.1)])
def test_freed_memory_stays(how: str, least: float, most: float) -> None:
    """The memory of a freed tensor of 64 MiB is kept only with the setting."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, how], capture_output=True, text=True, check=True
    )
    assert least <= int(done.stdout) / SIZE <= most
