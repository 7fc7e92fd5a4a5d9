"""One ``parity compare`` for ``benchmarks.records``, which prints its own figures.

Runs the command line that it is given and prints one JSON object on standard error: seconds that
the checksums and the comparison took, peak resident memory, and the frameworks it imported.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from parity.cli import main
from parity.system import checksums
from parity.system.memory import PeakMemory
from parity.verdict import compare as verdict

FRAMEWORKS = ("tensorflow", "tf_keras", "keras", "torch")


class Timed:
    """A function that records when it ran, over all calls and threads."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.began: list[float] = []
        self.ended: list[float] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        self.began.append(time.perf_counter())
        try:
            return self.function(*args, **kwargs)
        finally:
            self.ended.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """Seconds from the first call to the end of the last; 0 without a call."""
        return max(self.ended, default=0.0) - min(self.began, default=0.0)


def run() -> None:
    """Compare, then print the figures."""
    memory = PeakMemory()
    sha256, compare = Timed(checksums.sha256), Timed(verdict.compare)
    checksums.sha256, verdict.compare = sha256, compare
    try:
        main()
    finally:
        told = {
            "checksums": sha256.seconds,
            "comparison": compare.seconds,
            "memory": memory.bytes(),
            "frameworks": [name for name in FRAMEWORKS if name in sys.modules],
        }
        print(json.dumps(told), file=sys.stderr)


if __name__ == "__main__":
    run()
