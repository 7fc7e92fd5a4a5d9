"""Child processes that record: start, progress, error messages and termination."""

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
"""Seconds between the request to terminate and the kill of a child process."""


class Child:
    """A recording child process, with its progress and its messages on stderr.

    It ends when this process ends, in whatever way; see :func:`end_with_parent`.

    Attributes:
        folder: for temporary files of the child and its own children; removed by :meth:`close`.
        state: the last progress: ``done``, ``total`` and ``what``.
        messages: the other lines on stderr.
    """

    def __init__(self, command: list[str], request: str) -> None:
        """Start ``python -m`` with the command and a file with the request as arguments."""
        self.folder = Path(tempfile.mkdtemp(prefix="parity-"))
        file = self.folder / "request.json"
        file.write_text(request)
        self.state: dict[str, Any] = {"done": 0, "total": None, "what": "starting"}
        self.messages: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command, str(file)],
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
                    with contextlib.suppress(ValueError):  # another line was written into it
                        self.state = json.loads(line.removeprefix(progress.MARK))
                elif line.strip():
                    self.messages.append(line.strip())

    def lower_priority(self) -> None:
        """Let other processes run first from now on."""
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, self.process.pid, 10)

    @property
    def failed(self) -> bool:
        """Whether the process has ended with an error."""
        return self.process.poll() not in (None, 0)

    def close(self) -> None:
        """Release the resources of a process that has ended."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.reader.join()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait(self, path: Path | None = None) -> None:
        """Wait until the process has ended, or has created ``path``.

        Raises:
            ParityError: the process failed, with its reason.
        """
        while self.process.poll() is None and not (path and path.exists()):
            time.sleep(0.05)
        if self.failed or (path and not path.exists()):
            raise ParityError(self.failure_reason())

    def failure_reason(self) -> str:
        """Return the child's error message, else the signal that ended it, else its last line."""
        self.reader.join()
        for line in reversed(self.messages):
            if (mark := ": error: ") in line:
                return line.split(mark, 1)[1]
        code = self.process.returncode
        if code < 0:
            return f"ended by {signal.Signals(-code).name}"
        return self.messages[-1] if self.messages else f"exit code {code}"


def terminate(children: Collection[Child], grace: float = GRACE) -> None:
    """Terminate all children, and kill after ``grace`` seconds those that are still running."""
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
    """Make this child process end when its parent, and so the other end of stdin, is gone.

    A long computation handles the signal late, so the process is ended ``GRACE`` seconds later.
    """

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)  # nothing is ever written to it
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
