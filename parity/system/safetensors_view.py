"""Reading of a safetensors file in parts, so that it need not fit into memory."""

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
"""NumPy dtypes by their names in safetensors."""

_MAP_FLAGS = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
"""Map all pages at once if the system supports it (Linux), not each on first access."""


class StoredTensor:
    """A tensor in a file, read when it is indexed.

    Attributes:
        shape: length of each axis.
        dtype_name: name of its dtype in safetensors (``F64``).
        size: number of entries.
    """

    def __init__(self, file: BinaryIO, begin: int, shape: tuple[int, ...], dtype_name: str) -> None:
        """Refer to the entries from byte ``begin`` of an open file on, in C order."""
        self._file, self._begin = file, begin
        self.shape, self.dtype_name = shape, dtype_name
        self.size = math.prod(shape)

    def __getitem__(self, entries: slice) -> np.ndarray:
        """Return entries ``start:stop`` in C order as a read-only array of one axis.

        This part of the file is mapped into memory as long as the array exists.
        """
        start, stop, _ = entries.indices(self.size)
        dtype = ELEMENTS[self.dtype_name]
        if start >= stop:
            return np.empty(0, dtype)
        begin = self._begin + start * dtype.itemsize
        before = begin % mmap.ALLOCATIONGRANULARITY  # a map must begin at a multiple
        length = before + (stop - start) * dtype.itemsize
        mapped = mmap.mmap(
            self._file.fileno(),
            length,
            flags=_MAP_FLAGS,
            prot=mmap.PROT_READ,
            offset=begin - before,
        )
        return np.frombuffer(mapped, dtype, offset=before)


def read_tensors(path: Path, file: BinaryIO) -> dict[str, StoredTensor]:
    """Return the tensors of a safetensors file by name.

    Args:
        path: the file.
        file: the same file, open for reading as long as its tensors are used.

    Raises:
        SafetensorError: it is not a safetensors file.
    """
    from safetensors import safe_open

    with safe_open(path, framework="numpy"):
        pass  # checks the header, which the following code relies on
    length = int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return {
        name: StoredTensor(
            file, 8 + length + entry["data_offsets"][0], tuple(entry["shape"]), entry["dtype"]
        )
        for name, entry in header.items()
    }
