"""SHA-256 of large files, several in parallel."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_BUFFER = 1 << 18  # bytes; fits into a core's cache


def sha256(files: Sequence[Path]) -> list[str]:
    """Return the SHA-256 of each file, in hexadecimal.

    Raises:
        OSError: a file cannot be read.
    """
    cancelled = threading.Event()
    with ThreadPoolExecutor(len(files)) as pool:
        running = [pool.submit(_sha256, file, cancelled) for file in files]
        try:
            return [one.result() for one in running]
        finally:  # so that an interrupt does not wait for gigabytes
            cancelled.set()


def _sha256(file: Path, cancelled: threading.Event) -> str:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_BUFFER))
    with file.open("rb", buffering=0) as stream:
        while not cancelled.is_set() and (count := stream.readinto(buffer)):
            digest.update(buffer[:count])
    return digest.hexdigest()
