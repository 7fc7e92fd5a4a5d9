"""Processing of large tensors in blocks that fit into a core's cache, on several cores."""

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
"""Entries of a block: 256 KiB of float64, so that three and their results fit into 2 MiB."""

PIECE = 1 << 19
"""Entries that a core reads at a time: 4 MiB of float64."""

LARGE = 1 << 22
"""Entries from which a second process, which takes milliseconds to start, is faster."""

CORES = min(os.cpu_count() or 1, 4)
"""Number of processes; more do not help, as memory bandwidth is the limit."""

Result = TypeVar("Result")


class Entries(Protocol):
    """A tensor's entries in C order: an array of one axis, or a view of a safetensors file."""

    @property
    def size(self) -> int:
        """Number of entries."""

    def __getitem__(self, entries: slice, /) -> np.ndarray:
        """Return a range of entries."""


def blocks(
    start: int, stop: int, *tensors: Entries, block: int = BLOCK
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Yield entries ``start:stop`` of tensors of equal size in blocks, each with its start."""
    piece = max(PIECE, block)
    for begin in range(start, stop, piece):
        pieces = [entries[begin : min(begin + piece, stop)] for entries in tensors]
        for at in range(0, len(pieces[0]), block):
            yield begin + at, [one[at : at + block] for one in pieces]


def in_shares(
    function: Callable[[int, int], Result], size: int, alone: bool = False
) -> list[Result]:
    """Apply a function to each core's share of ``size`` entries; return the results in order.

    Shares are processed by forks of this process, as threads would block each other in NumPy's
    short calls. If this process has other threads, which forks do not support, or if a fork fails,
    it processes the shares itself.

    Args:
        function: function of the first entry and the one after the last; its result can be pickled.
        size: number of entries.
        alone: use no other process, as is necessary after a framework was loaded.
    """
    count = CORES if not alone and size >= LARGE and threading.active_count() == 1 else 1
    each = -(-size // count // PIECE) * PIECE if count > 1 else size
    shares = [(start, min(start + each, size)) for start in range(0, size, max(each, 1))]
    context = multiprocessing.get_context("fork")
    children = []
    for share in shares[1:]:
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_send_result, args=(theirs, function, share), daemon=True)
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


def _send_result(
    pipe: Connection, function: Callable[[int, int], Result], share: tuple[int, int]
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    with contextlib.suppress(BrokenPipeError):
        pipe.send(function(*share))
