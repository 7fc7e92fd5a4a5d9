"""Examples read from mapped files: the right ones, and no more memory than they take."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from parity.data import mapped
from parity.system.memory import PeakMemory

VIEWS: dict[str, Callable[[np.memmap], np.ndarray]] = {
    "whole": lambda x: x,
    "from the middle": lambda x: x[17:],
    "each third": lambda x: x[::3],
    "backwards": lambda x: x[::-1],
    "part of each": lambda x: x[:, 1],
    "not in one piece": lambda x: x[:, :, 1],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of 50 examples, no two numbers alike."""
    np.save(tmp_path / "x.npy", np.arange(600, dtype=np.float32).reshape(50, 3, 4))
    return tmp_path / "x.npy"


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_what_was_picked_is_read(path: Path, mode: str, view: str) -> None:
    """Any view of a mapping gives what indexing it gives, in the order that was asked for."""
    x = VIEWS[view](np.load(path, mmap_mode=mode))  # type: ignore[arg-type]
    picked = np.random.default_rng(0).integers(0, len(x), 30)
    np.testing.assert_array_equal(mapped.read(x, picked), x[picked])


@pytest.mark.parametrize("mode", ["r+", "c"])
def test_what_was_written_is_read(path: Path, mode: str) -> None:
    """Changes to the mapping are seen, also those that never reach the file."""
    x = np.load(path, mmap_mode=mode)  # type: ignore[call-overload]
    x[7] = -1.0
    assert (mapped.read(x, np.array([7])) == -1.0).all()


def test_a_file_that_became_shorter_is_told_of(path: Path) -> None:
    """Its name is told; touching such a mapping would end the process."""
    x = np.load(path, mmap_mode="r")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(OSError, match=r"x\.npy: shorter than when it was mapped"):
        mapped.read(x, np.arange(50))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere peaks cannot be counted anew")
@pytest.mark.parametrize("by", ["read", "index"])
def test_memory_is_that_of_the_picked(tmp_path: Path, by: str) -> None:
    """Of 256 MB, what was not picked takes none; indexing the mapping shows that it could."""
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (64_000, 1000))
    for start in range(0, len(x), 1000):
        x[start : start + 1000] = 1.0
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    picked = np.random.default_rng(0).permutation(len(x))[:5_000]
    peak = PeakMemory()
    before = peak.bytes()
    found = mapped.read(x, picked) if by == "read" else x[picked]
    grown = peak.bytes() - before
    assert (grown < 1.5 * found.nbytes) == (by == "read")
