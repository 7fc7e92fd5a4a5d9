"""Atomic writing of files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from parity.errors import ParityError


def write_atomically(path: Path, raw: bytes) -> None:
    """Write a file completely or not at all, creating its folder if necessary.

    Raises:
        ParityError: the folder or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with open(descriptor, "wb") as file:
                file.write(raw)
            os.chmod(partial, 0o644)  # mkstemp makes it readable only by its owner
            os.replace(partial, path)
        except BaseException:
            os.unlink(partial)
            raise
    except OSError as error:
        raise ParityError(f"cannot write {path}: {error.strerror or error}") from error
