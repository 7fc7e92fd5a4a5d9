"""Where commands write, checked before any work is done."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from parity.errors import ParityError


def new_path(text: str, flag: str = "--out") -> Path:
    """What a flag names: nothing stands there, and it can be made.

    Raises:
        ParityError: something does, or it cannot.
    """
    path = Path(text)
    if os.path.lexists(path):
        raise ParityError(f"{flag}: {path} exists already; give a new name, or remove it first")
    above = path.absolute().parent
    while not os.path.lexists(above):
        above = above.parent
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=above):
            return path
    except OSError as error:
        raise ParityError(f"{flag}: cannot write {path}: {error.strerror}") from None


def json_path(text: str | None) -> Path | None:
    """What ``--json`` names, if anything: a file that can be written, and replaced if it is there.

    Raises:
        ParityError: a folder, in no folder, or not writable.
    """
    if text is None:
        return None
    path = Path(text)
    reason = None
    if path.is_dir():
        reason = "it is a folder"
    elif not path.parent.is_dir():
        reason = f"there is no folder {path.parent}"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        reason = "permission denied"
    if reason:
        raise ParityError(f"--json: cannot write {text!r}: {reason}; accepted: a file")
    return path


def refuse_inside(json_file: Path, records: Iterable[Path]) -> None:
    """Refuse to write ``--json`` into a record, whose own files it could replace.

    Raises:
        ParityError: the file, links followed, lies in one of the folders.
    """
    for record in records:
        if json_file.resolve().is_relative_to(record.resolve()):
            raise ParityError(
                f"--json: received {str(json_file)!r}, which lies in the record {record}; "
                "accepted: a file outside the records"
            )
