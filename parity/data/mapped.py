"""Reading of selected examples from a memory-mapped array's file.

Access to one page of a mapped file may map megabytes around it, which all count as memory of this
process. Reading from the file is as fast and uses only the memory of the selected examples.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np


def read(x: Any, picked: np.ndarray) -> np.ndarray:
    """Return ``x[picked]``, read from the file.

    Args:
        x: np.memmap (N, …), or a view of one.
        picked: int64 (n,), each from 0 to N - 1.

    Returns:
        (n, …) in ``x``'s dtype.

    Raises:
        OSError: the file cannot be read, or is shorter than when it was mapped.
    """
    if x.mode == "c" or not x[:1].flags.c_contiguous:  # copy-on-write or strided
        return np.asarray(x[picked])
    mapped = np.frombuffer(x._mmap, np.uint8).ctypes.data
    begin = x.offset - x.offset % mmap.ALLOCATIONGRANULARITY + x.ctypes.data - mapped
    found = np.empty((len(picked), *x.shape[1:]), x.dtype)
    rows = found.reshape(len(picked), -1).view(np.uint8)
    with Path(str(x.filename)).open("rb", buffering=0) as file:
        for row in np.argsort(picked).tolist():  # in the order of the file
            file.seek(begin + int(picked[row]) * x.strides[0])
            if file.readinto(rows[row].data) != rows[row].size:
                raise OSError(f"{x.filename}: shorter than when it was mapped")
    return found
