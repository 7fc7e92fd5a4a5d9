"""Other processes that climb: their flags, what they say on stderr, and their end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from parity import progress
from parity.errors import ParityError

GRACE = 10.0
"""Seconds that a recording process gets to end when told to, before it is killed."""


class Child:
    """A recording process and what it says on stderr.

    It ends with this process, however that goes: see :func:`end_with_parent`.

    Attributes:
        folder: for its temporary files and its own children's; removed by :func:`end`.
    """

    def __init__(self, command: list[str]) -> None:
        """Start ``python -m`` with the command."""
        self.folder = Path(tempfile.mkdtemp(prefix="parity-"))
        self.state: dict[str, Any] = {"done": 0, "total": None, "what": "starting"}
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, progress.LINES: "lines", "TMPDIR": str(self.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                if line.startswith(progress.MARK):
                    with contextlib.suppress(ValueError):  # a line that another one broke into
                        self.state = json.loads(line.removeprefix(progress.MARK))
                elif line.strip():
                    self.said.append(line.strip())

    def stand_back(self) -> None:
        """Let other processes go first from now on."""
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, self.process.pid, 10)

    @property
    def failed(self) -> bool:
        """Whether it ended, and not well."""
        return self.process.poll() not in (None, 0)

    def close(self) -> None:
        """Let go of what belongs to a process that has ended."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.reader.join()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait(self, path: Path | None = None) -> None:
        """Wait until it has ended, or has made ``path``.

        Raises:
            ParityError: it failed; with what it said.
        """
        while self.process.poll() is None and not (path and path.exists()):
            time.sleep(0.05)
        if self.failed or (path and not path.exists()):
            raise ParityError(self.reason())

    def reason(self) -> str:
        """Why it failed: its error line, else the signal that ended it, else its last words."""
        self.reader.join()
        for line in reversed(self.said):
            if (mark := ": error: ") in line:
                return line.split(mark, 1)[1]
        code = self.process.returncode
        if code < 0:
            return f"ended by {signal.Signals(-code).name}"
        return self.said[-1] if self.said else f"exit code {code}"


def end(children: Collection[Child], grace: float = GRACE) -> None:
    """Leave no process behind: tell them all to end, then kill what has not, ``grace`` s later."""
    for child in children:
        child.process.terminate()
    until = time.monotonic() + grace
    for child in children:
        try:
            child.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        child.close()


def end_with_parent() -> None:
    """In a :class:`Child`: end when the parent is gone, and with it the other end of stdin.

    What computes for long notices a signal late, so it gets a while and is then cut short.
    """

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)  # nothing is ever written to it
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
