"""Measurement of this process's peak resident memory."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Peak resident memory since the object was created.

    On systems other than Linux, which cannot reset the peak, it is that since the process started.
    """

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            _RESET.write_text("5")  # proc(5): resets the peak resident set size

    def bytes(self) -> int:
        """Return the peak so far, in bytes."""
        with contextlib.suppress(OSError):
            for line in _STATUS.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
