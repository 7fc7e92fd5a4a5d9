"""Examples that lie in a file, read without mapping them into memory.

Touching one page of a mapped file may map megabytes around it, and all of them count as this
process's memory until they are let go of. Reading takes as long, and holds what was asked for.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np


def read(x: Any, picked: np.ndarray) -> np.ndarray:
    """``x[picked]``, read from the file.

    Args:
        x: np.memmap (N, …); a view of one may be given.
        picked: int64 (n,), each from 0 to N - 1.

    Returns:
        (n, …) in ``x``'s dtype.

    Raises:
        OSError: the file is gone, or shorter than it was.
    """
    if x.mode == "c" or not x[:1].flags.c_contiguous:  # changed in memory alone, or in pieces
        return np.asarray(x[picked])
    mapped = np.frombuffer(x._mmap, np.uint8).ctypes.data
    begin = x.offset - x.offset % mmap.ALLOCATIONGRANULARITY + x.ctypes.data - mapped
    found = np.empty((len(picked), *x.shape[1:]), x.dtype)
    rows = found.reshape(len(picked), -1).view(np.uint8)
    with Path(str(x.filename)).open("rb", buffering=0) as file:
        for row in np.argsort(picked).tolist():  # forwards through the file
            file.seek(begin + int(picked[row]) * x.strides[0])
            if file.readinto(rows[row].data) != rows[row].size:
                raise OSError(f"{x.filename}: shorter than when it was mapped")
    return found
