"""What one backend leaves behind: ``record.json`` and ``tensors.safetensors`` in a folder.

Written to a temporary folder beside the target and renamed, so a killed run leaves no half record;
read with the checksum verified.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parity.errors import ParityError
from parity.specs.run import Spec, spec_from_json

FORMAT = "keras-torch-parity record"
VERSION = 1
KINDS = ("ladder", "training")
HEADER, TENSORS = "record.json", "tensors.safetensors"

_CHUNK = 1 << 22  # entries looked at in one piece: 32 MiB of float64


@dataclass(frozen=True)
class Header:
    """What stands in ``record.json`` beside the tensors.

    Attributes:
        kind: ``ladder`` (to be compared) or ``training`` (to be evaluated and predicted with).
        backend: registered name of the implementation.
        spec: the run.
        steps: optimizer steps taken in all (``training``), or in the k-step rung (``ladder``).
        dtypes: dtypes recorded, a part of :data:`parity.constants.DTYPES`.
        versions, platform, threads, device: what it ran on.
        timings: seconds by name.
        peak_memory: bytes of resident memory at the highest.
        results: figures for people (accuracy, losses …).
        rounding: float32 tensor name to the RMS that rounding moves it by (``ladder``).
        trainable: canonical names that the framework trains.
        null_gradients: parameters whose float64 gradient is rounding alone, with its largest entry.
        notes: sentences for the report.
    """

    kind: str
    backend: str
    spec: Spec
    steps: int
    dtypes: tuple[str, ...]
    versions: dict[str, str]
    platform: dict[str, Any]
    threads: dict[str, int]
    device: str
    timings: dict[str, float]
    peak_memory: int
    results: dict[str, Any]
    rounding: dict[str, float]
    trainable: tuple[str, ...]
    null_gradients: dict[str, float]
    notes: tuple[str, ...]


def refuse_existing(path: Path) -> None:
    """Raise if something already stands where a record shall be written; nothing is overwritten."""
    if path.exists():
        raise ParityError(f"--out: {path} exists already; give a new folder, or remove it first")


def write(path: Path, header: Header, tensors: Mapping[str, np.ndarray]) -> None:
    """Write a record as folder ``path``, whole or not at all.

    Raises:
        ParityError: ``path`` exists, or cannot be written.
    """
    from safetensors.numpy import save_file

    refuse_existing(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise ParityError(f"--out: cannot write {path}: {error.strerror}") from None
    try:
        save_file(
            {name: np.ascontiguousarray(value) for name, value in tensors.items()},
            temporary / TENSORS,
        )
        content = {
            "format": FORMAT,
            "version": VERSION,
            **{
                name: getattr(header, name)
                for name in Header.__dataclass_fields__
                if name not in ("spec",)
            },
            "spec": header.spec.to_json(),
            "tensors": {
                "file": TENSORS,
                "count": len(tensors),
                "sha256": _digest(temporary / TENSORS),
            },
        }
        (temporary / HEADER).write_text(json.dumps(content, indent=1) + "\n")
        temporary.chmod(0o755)  # mkdtemp's 0700 would keep colleagues out
        os.replace(temporary, path)
    except OSError as error:
        raise ParityError(f"--out: cannot write {path}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class Record:
    """A record opened for reading: its header, and its tensors one piece at a time."""

    def __init__(self, path: Path, header: Header, tensors: Any) -> None:
        """Use :func:`read`."""
        self.path = path
        self.header = header
        self._tensors = tensors
        self.names: tuple[str, ...] = tuple(sorted(tensors.keys()))

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor, without reading it."""
        return tuple(self._tensors.get_slice(name).get_shape())

    def dtype(self, name: str) -> str:
        """Dtype of a tensor as safetensors spells it (``F64``), without reading it."""
        return str(self._tensors.get_slice(name).get_dtype())

    def tensor(self, name: str) -> np.ndarray:
        """A whole tensor."""
        return self._tensors.get_tensor(name)

    def pieces(self, name: str) -> Iterator[np.ndarray]:
        """A tensor in consecutive slices of its first axis, some 32 MiB each."""
        shape = self.shape(name)
        if not shape:
            yield self.tensor(name)
            return
        row = int(np.prod(shape[1:], dtype=np.int64))
        rows = max(1, _CHUNK // max(row, 1))
        view = self._tensors.get_slice(name)
        for start in range(0, shape[0], rows):
            yield view[start : min(start + rows, shape[0])]


@contextmanager
def read(path: Path) -> Iterator[Record]:
    """Open the record at ``path`` with its checksum verified.

    Raises:
        ParityError: not a record, of a newer format, truncated, or its tensors do not match the
            checksum.
    """
    from safetensors import SafetensorError, safe_open

    content = _read_header(path)
    file = path / TENSORS
    expected = content["tensors"]
    if not file.is_file():
        raise ParityError(f"{path}: damaged record: {TENSORS} is missing")
    found = _digest(file)
    if found != expected["sha256"]:
        raise ParityError(
            f"{path}: damaged record: {TENSORS} has sha256 {found[:12]}…, {HEADER} says "
            f"{str(expected['sha256'])[:12]}…; record it again"
        )
    try:
        with safe_open(file, framework="numpy") as tensors:
            yield Record(path, _header(path, content), tensors)
    except SafetensorError as error:
        raise ParityError(f"{path}: damaged record: {TENSORS}: {error}") from None


def _read_header(path: Path) -> dict[str, Any]:
    file = path / HEADER
    if not file.is_file():
        raise ParityError(f"{path}: not a record: no {HEADER} in it")
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ParityError(f"{file}: damaged record: not JSON ({error})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        received = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise ParityError(f"{file}: format: received {received!r}, accepted: {FORMAT!r}")
    if content.get("version") != VERSION:
        raise ParityError(
            f"{file}: format version: received {content.get('version')!r}, accepted: {VERSION}; "
            "a newer record needs a newer release of keras-torch-parity"
        )
    return content


def _header(path: Path, content: dict[str, Any]) -> Header:
    fields = [name for name in Header.__dataclass_fields__ if name != "spec"]
    missing = [name for name in (*fields, "spec", "tensors") if name not in content]
    if missing:
        raise ParityError(f"{path / HEADER}: damaged record: no {', '.join(missing)} in it")
    values = {
        name: tuple(content[name]) if isinstance(content[name], list) else content[name]
        for name in fields
    }
    if values["kind"] not in KINDS:
        raise ParityError(
            f"{path / HEADER}: kind: received {values['kind']!r}, accepted: {', '.join(KINDS)}"
        )
    return Header(spec=spec_from_json(content["spec"], f"{path / HEADER}: spec"), **values)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
