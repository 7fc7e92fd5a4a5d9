"""Files that several tests need, made once for all workers of a test run."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable
from pathlib import Path


class Shared:
    """A folder of files that the workers of a test run share.

    Args:
        folder: the same one in every worker.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def file(self, key: object, make: Callable[[Path], object]) -> Path:
        """The file of a key, made by ``make(path)`` where no worker has done so yet.

        Args:
            key: what the content depends on; its ``repr`` must be the same in every process.
            make: writes a file or a folder at the path that it receives.
        """
        path = self._folder / hashlib.sha256(repr(key).encode()).hexdigest()
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                partial = path.with_suffix(".partial")
                make(partial)
                partial.rename(path)
        return path
