"""Where commands write, checked before any work is done."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from parity.errors import ParityError
from parity.system import strict_json
from parity.system.atomic import write_whole


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


def write_json(path: Path, data: Any) -> None:
    """Write ``--json``'s file, whole or not at all; a file that stands there is replaced.

    Args:
        path: of the file.
        data: whose numbers are all finite.

    Raises:
        ParityError: it cannot be written.
    """
    text = strict_json.dumps(data)
    try:
        fixed = path.is_symlink() or (path.exists() and not path.is_file())
        if fixed or not os.access(path.parent, os.W_OK):
            path.write_text(text, "utf-8")  # a pipe or a device cannot be replaced
        else:
            write_whole(path, text.encode())
    except OSError as error:
        raise ParityError(f"--json: cannot write {path}: {error.strerror or error}") from None
    except ParityError as error:
        raise ParityError(f"--json: {error}") from None


def write_folder(path: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder: it is made with all of them or not at all.

    In one that is there already, each is replaced whole.

    Raises:
        ParityError: they cannot be written.
    """
    try:
        if path.is_dir():
            for name, text in files.items():
                write_whole(path / name, text.encode())
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
            made = Path(folder) / path.name
            made.mkdir()
            for name, text in files.items():
                (made / name).write_text(text, "utf-8")
            made.replace(path)
    except OSError as error:
        raise ParityError(f"cannot write {path}: {error.strerror or error}") from None


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
