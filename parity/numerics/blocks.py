"""Look at large tensors in blocks that fit into a core's cache, on several cores at a time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Protocol, TypeVar

import numpy as np

BLOCK = 1 << 15
"""Entries of a block: 256 KiB of float64. Two or three and what is made of them fit into 2 MiB."""

PIECE = 1 << 19
"""Entries that a core takes at a time, which are then in memory: 4 MiB of float64."""

LARGE = 1 << 22
"""Entries from which on a second process, started in some milliseconds, pays."""

CORES = min(os.cpu_count() or 1, 4)
"""More do not help: memory is no faster."""

Result = TypeVar("Result")


class Entries(Protocol):
    """A tensor's entries in C order: an array of one axis, or a view of a safetensors file."""

    @property
    def size(self) -> int:
        """How many."""

    def __getitem__(self, entries: slice, /) -> np.ndarray:
        """Some of them."""


def blocks(
    start: int, stop: int, *tensors: Entries, block: int = BLOCK
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Entries ``start:stop`` of tensors of equal size, block by block, each with its place."""
    piece = max(PIECE, block)
    for begin in range(start, stop, piece):
        pieces = [entries[begin : min(begin + piece, stop)] for entries in tensors]
        for at in range(0, len(pieces[0]), block):
            yield begin + at, [one[at : at + block] for one in pieces]


def in_shares(
    function: Callable[[int, int], Result], size: int, alone: bool = False
) -> list[Result]:
    """What a function makes of each core's share of ``size`` entries, from the first to the last.

    The others' shares are worked on by forks of this process, for threads of NumPy's short calls
    get in each other's way; where there are other threads, which no fork gets along with, or where
    one comes to nothing, by this process.

    Args:
        function: takes the first entry and the one after the last; its result can be pickled.
        size: how many entries there are.
        alone: whether this process does all of it, as one that has loaded a framework must.
    """
    count = CORES if not alone and size >= LARGE and threading.active_count() == 1 else 1
    each = -(-size // count // PIECE) * PIECE if count > 1 else size
    shares = [(start, min(start + each, size)) for start in range(0, size, max(each, 1))]
    context = multiprocessing.get_context("fork")
    children = []
    for share in shares[1:]:
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_tell, args=(theirs, function, share), daemon=True)
        child.start()
        theirs.close()
        children.append((share, child, ours))
    found = [function(*share) for share in shares[:1]]
    for share, child, ours in children:
        with ours:
            try:
                found.append(ours.recv())
            except EOFError:
                found.append(function(*share))
        child.join()
    return found


def _tell(pipe: Connection, function: Callable[[int, int], Result], share: tuple[int, int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers for both
    with contextlib.suppress(BrokenPipeError):
        pipe.send(function(*share))
