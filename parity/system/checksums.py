"""Checksums of large files, of several at the same time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_AT_ONCE = 1 << 18  # bytes that are read, and fit into a core's cache


def sha256(files: Sequence[Path]) -> list[str]:
    """The sha256 of each file, in hexadecimal.

    Raises:
        OSError: one cannot be read.
    """
    given_up = threading.Event()
    with ThreadPoolExecutor(len(files)) as pool:
        running = [pool.submit(_sha256, file, given_up) for file in files]
        try:
            return [one.result() for one in running]
        finally:  # an interrupt need not wait for gigabytes
            given_up.set()


def _sha256(file: Path, given_up: threading.Event) -> str:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_AT_ONCE))
    with file.open("rb", buffering=0) as stream:
        while not given_up.is_set() and (count := stream.readinto(buffer)):
            digest.update(buffer[:count])
    return digest.hexdigest()
