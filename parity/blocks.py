"""Look at large tensors in blocks that fit into a core's cache, on several cores at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np

BLOCK = 1 << 15
"""Entries of a block: 256 KiB of float64. Two or three and what is made of them fit into 2 MiB."""

PIECE = 1 << 19
"""Entries that a core takes at a time, which are then in memory: 4 MiB of float64."""

CORES = min(os.cpu_count() or 1, 4)
"""More do not help: memory is no faster."""

Result = TypeVar("Result")


class Entries(Protocol):
    """A tensor's entries in C order: an array of one axis, or :class:`parity.stored.Stored`."""

    @property
    def size(self) -> int:
        """How many."""

    def __getitem__(self, entries: slice, /) -> np.ndarray:
        """Some of them."""


def over_blocks(
    function: Callable[..., Result], *tensors: Entries, block: int = BLOCK
) -> Iterator[Result]:
    """What a function makes of each block of tensors of equal size, from the first to the last.

    Args:
        function: takes a block of each tensor, arrays of one axis and equal size; called by several
            threads at a time.
        tensors: one or more.
        block: entries of a block; a power of two.
    """
    size, piece = tensors[0].size, max(PIECE, block)

    def of_piece(start: int) -> list[Result]:
        pieces = [entries[start : min(start + piece, size)] for entries in tensors]
        places = range(0, len(pieces[0]), block)
        return [function(*(one[at : at + block] for one in pieces)) for at in places]

    starts = range(0, size, piece)
    if len(starts) < 2:
        for start in starts:
            yield from of_piece(start)
        return
    with ThreadPoolExecutor(CORES) as pool:
        for found in pool.map(of_piece, starts):
            yield from found
