"""Output paths of commands: checks before any work is done, and writing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from parity.errors import ParityError
from parity.system import strict_json
from parity.system.atomic import write_atomically


def new_path(text: str, flag: str = "--out") -> Path:
    """Return the path that a flag names, where nothing exists yet and something can be created.

    Raises:
        ParityError: the path exists, or cannot be created.
    """
    path = Path(text)
    if os.path.lexists(path):
        raise ParityError(f"{flag}: {path} exists already; give a new name, or remove it first")
    existing = path.absolute().parent
    while not os.path.lexists(existing):
        existing = existing.parent
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=existing):
            return path
    except OSError as error:
        raise ParityError(f"{flag}: cannot write {path}: {error.strerror}") from None


def json_path(text: str | None) -> Path | None:
    """Return the path that ``--json`` names, if any: a file that can be written or replaced.

    Raises:
        ParityError: the path is a folder, its folder does not exist, or it is not writable.
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
    """Write the file of ``--json`` atomically; an existing file is replaced.

    Args:
        path: of the file.
        data: JSON data without non-finite numbers.

    Raises:
        ParityError: the file cannot be written.
    """
    text = strict_json.dumps(data)
    try:
        special = path.is_symlink() or (path.exists() and not path.is_file())
        if special or not os.access(path.parent, os.W_OK):
            path.write_text(text, "utf-8")  # a pipe or a device cannot be replaced
        else:
            write_atomically(path, text.encode())
    except OSError as error:
        raise ParityError(f"--json: cannot write {path}: {error.strerror or error}") from None
    except ParityError as error:
        raise ParityError(f"--json: {error}") from None


def write_folder(path: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder; a new folder is created with all of them or not at all.

    In an existing folder, each file is replaced atomically.

    Args:
        path: of the folder.
        files: text by file name.

    Raises:
        ParityError: a file cannot be written.
    """
    try:
        if path.is_dir():
            for name, text in files.items():
                write_atomically(path / name, text.encode())
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


def require_outside(json_file: Path, records: Iterable[Path]) -> None:
    """Check that the file of ``--json`` is not in a record, whose files it could replace.

    Raises:
        ParityError: the file, with links resolved, is in one of the records.
    """
    for record in records:
        if json_file.resolve().is_relative_to(record.resolve()):
            raise ParityError(
                f"--json: received {str(json_file)!r}, which is in the record {record}; "
                "accepted: a file outside the records"
            )
