"""Tensors in a safetensors file, looked at a piece at a time: a file need not fit into memory."""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

ELEMENTS: Mapping[str, np.dtype] = {
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (8, 4, 2)},
    **{
        f"{kind.upper()}{8 * size}": np.dtype(f"<{kind}{size}")
        for kind in "iu"
        for size in (8, 4, 2, 1)
    },
    "BOOL": np.dtype(bool),
}
"""Dtypes that NumPy can hold, by the name that safetensors has for them."""

_AT_ONCE = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
"""All pages in one go where the system can (Linux), not each when it is first looked at."""


class Stored:
    """A tensor in a file.

    Attributes:
        shape: its axes.
        element: its dtype as safetensors spells it (``F64``).
        size: number of entries.
    """

    def __init__(self, file: BinaryIO, begin: int, shape: tuple[int, ...], element: str) -> None:
        """Find ``shape`` entries from byte ``begin`` of an open file on, in C order."""
        self._file, self._begin = file, begin
        self.shape, self.element = shape, element
        self.size = math.prod(shape)

    def __getitem__(self, entries: slice) -> np.ndarray:
        """Entries ``start:stop`` in C order, one axis, read-only.

        That part of the file is mapped as long as the array lives, and takes up memory no longer.
        """
        start, stop, _ = entries.indices(self.size)
        dtype = ELEMENTS[self.element]
        if start >= stop:
            return np.empty(0, dtype)
        begin = self._begin + start * dtype.itemsize
        before = begin % mmap.ALLOCATIONGRANULARITY  # where a map must begin
        length = before + (stop - start) * dtype.itemsize
        mapped = mmap.mmap(
            self._file.fileno(), length, flags=_AT_ONCE, prot=mmap.PROT_READ, offset=begin - before
        )
        return np.frombuffer(mapped, dtype, offset=before)


def tensors(path: Path, file: BinaryIO) -> dict[str, Stored]:
    """The tensors of a safetensors file by name.

    Args:
        path: the file.
        file: the same, open for reading, for as long as its tensors are used.

    Raises:
        SafetensorError: it is no safetensors file.
    """
    from safetensors import safe_open

    with safe_open(path, framework="numpy"):
        pass  # what follows relies on a header that was checked
    length = int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return {
        name: Stored(
            file, 8 + length + entry["data_offsets"][0], tuple(entry["shape"]), entry["dtype"]
        )
        for name, entry in header.items()
    }
