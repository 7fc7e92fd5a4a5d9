"""What the tests of the data sets share: the embedded files, and small fakes of the full sets."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path

import numpy as np
import pytest

from parity.data import datasets, files, sources
from parity.errors import ParityError
from parity.system import atomic

REPO = Path(__file__).resolve().parents[2]
CARDS = REPO / "datasets"
EMBEDDED = tuple(name for name in datasets.DATASETS if datasets._ENTRIES[name].embedded_sha256)
FULL = tuple(sources.FULL_SETS)


def embedded_arrays(name):
    with np.load(CARDS / name / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def refused(action, *parts):
    """Return the one-line message of the ParityError that `action` raises, holding all `parts`."""
    with pytest.raises(ParityError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message, message
    for part in parts:
        assert str(part) in message, f"{part} is not in: {message}"
    return message


class FakeSet:
    """A small full set in every form that the loader reads; images of 4×3 pixels, not square."""

    def __init__(self):
        rng = np.random.Generator(np.random.Philox(7))
        self.arrays = {}
        for split, per_class in (("train", 3), ("test", 2)):
            y = rng.permutation(np.repeat(np.arange(10, dtype=np.uint8), per_class))
            self.arrays[f"x_{split}"] = rng.integers(0, 256, (len(y), 4, 3), np.uint8)
            self.arrays[f"y_{split}"] = y
        self.idx = {key: files.encode_idx(a) for key, a in self.arrays.items()}
        self.npz = files.encode_npz(self.arrays)

    def write(self, place, packed=True):
        """Write the npz file where `place` names one, else the four IDX files into the folder."""
        if place.suffix == ".npz":
            atomic.write_atomically(place, self.npz)
            return
        for key, file_name in sources.IDX_FILES.items():
            if packed:
                atomic.write_atomically(place / f"{file_name}.gz", gzip.compress(self.idx[key]))
            else:
                atomic.write_atomically(place / file_name, self.idx[key])


def fake_full_sets(tmp_path, monkeypatch):
    """Make the full sets small and equal to the FakeSet returned; look for them in `tmp_path`."""
    small = FakeSet()
    for name, full in list(sources.FULL_SETS.items()):
        replaced = dataclasses.replace(
            full,
            sha256={key: files.sha256(raw) for key, raw in small.idx.items()},
            npz_sha256=full.npz_sha256 and files.sha256(small.npz),
            debian=full.debian and str(tmp_path / "debian"),
            url="nowhere:",
        )
        monkeypatch.setitem(sources.FULL_SETS, name, replaced)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (tmp_path / "project" / "work").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "work")
    return small
