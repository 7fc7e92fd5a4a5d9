"""Large tensors are shared out to processes, and nothing of what is found depends on it."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import numpy as np

from parity.numerics import blocks

START = """
import json, os, signal, threading, time
import numpy as np
from parity.numerics import blocks
from parity.numerics.distance import measure
blocks.CORES, blocks.LARGE, blocks.PIECE = 3, 1, 1 << 10
parent = os.getpid()
"""


def run(script: str) -> str:
    """What a process of one thread prints: the suite's own workers have several."""
    command = [sys.executable, "-c", START + textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert not done.stderr, done.stderr
    return done.stdout


def test_shares_are_worked_on_by_other_processes_and_come_back_in_order() -> None:
    """Three shares of whole pieces, the first by the process itself."""
    told = run(
        """
        found = blocks.in_shares(lambda start, stop: (start, stop, os.getpid()), 5000)
        print(json.dumps([[*share[:2], share[2] == parent] for share in found]))
        """
    )
    assert json.loads(told) == [[0, 2048, True], [2048, 4096, False], [4096, 5000, False]]


def test_distances_are_the_same_however_they_are_shared_out() -> None:
    """All that is measured, of entries that are not finite too."""
    told = run(
        """
        numbers = np.random.default_rng(0)
        x = numbers.standard_normal((7, 1000))
        y = x + 1e-12 * numbers.standard_normal(x.shape)
        z = y.copy()
        z[6, 900], z[0, 3] = np.nan, np.inf
        shared = [measure(x.shape, x.ravel(), other.ravel()) for other in (y, z)]
        blocks.CORES = 1
        alone = [measure(x.shape, x.ravel(), other.ravel()) for other in (y, z)]
        print(repr(shared) == repr(alone), shared[1][0].not_finite, shared[1][0].index)
        """
    )
    assert told == "True (0, 2) (0, 3)\n"


def test_what_a_killed_process_owed_is_made_good() -> None:
    """A share whose process came to nothing is worked on by the first one."""
    told = run(
        """
        def share(start, stop):
            if os.getpid() != parent and start == 2048:
                os.kill(os.getpid(), signal.SIGKILL)
            return start
        print(blocks.in_shares(share, 5000))
        """
    )
    assert told == "[0, 2048, 4096]\n"


def test_no_process_is_forked_beside_threads() -> None:
    """Their locks would be copied as they stand; all shares are worked on by this process."""
    told = run(
        """
        threading.Thread(target=time.sleep, args=(1,)).start()
        print(blocks.in_shares(lambda start, stop: (start, stop, os.getpid() == parent), 5000))
        """
    )
    assert told == "[(0, 5000, True)]\n"


def test_blocks_cover_all_entries_once() -> None:
    """Blocks and pieces that do not divide the number of entries leave none out."""
    x = np.arange(1000)
    found = list(blocks.blocks(10, 1000, x, -x, block=64))
    assert [place for place, _ in found] == list(range(10, 1000, 64))
    assert np.array_equal(np.concatenate([a for _, (a, _) in found]), x[10:])
    assert np.array_equal(np.concatenate([b for _, (_, b) in found]), -x[10:])
