"""Records: the result of one backend's run, as ``record.json`` and ``tensors.safetensors``.

A record is a folder. It is written under a temporary name and then renamed, so that an interrupted
run leaves no incomplete record; reading verifies the header and the checksum of the tensors.
"""

from __future__ import annotations

import dataclasses
import reprlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parity import rungs
from parity.constants import DTYPES
from parity.errors import ParityError
from parity.specs.run import Spec, spec_from_json
from parity.system import checksums, safetensors_view, strict_json
from parity.system.safetensors_view import StoredTensor

FORMAT = "keras-torch-parity record"
VERSION = 4
KINDS = ("ladder", "training", "replay")
HEADER, TENSORS = "record.json", "tensors.safetensors"

_FIGURES = ("timings", "results", "rounding", "null_gradients")  # may contain non-finite numbers


@dataclass(frozen=True)
class Header:
    """The content of ``record.json``.

    Attributes:
        kind: ``ladder`` (for comparison), ``training`` (for evaluation and prediction), or
            ``replay`` (each layer run separately, with the inputs of another record's layer).
        backend: registered name of the implementation.
        spec: the run.
        steps: number of all optimizer steps (``training``), or of the k-step rung (``ladder``).
        seeds: number of seeds that float32 was trained from (``ladder``).
        epochs: requested epochs of the float64 training after a ``ladder``; 0: there is none.
        teacher: SHA-256 of the tensors that a ``replay`` started from, else empty.
        dtypes: recorded dtypes, from :data:`parity.constants.DTYPES`.
        versions, platform, threads, device: environment of the run.
        timings: seconds by name.
        peak_memory: peak resident memory in bytes.
        results: test ``accuracy`` and ``loss`` by dtype; for a training over epochs, under
            ``whole``, also ``epochs`` and ``steps``.
        rounding: effect of rounding on each tensor: the largest distance of an ensemble member
            (``ladder``).
        layers: the framework's name of each layer, by canonical name.
        trainable: canonical names that the framework trains.
        counts: the framework's own parameter counts, ``total`` and ``trainable``.
        null_gradients: parameters whose float64 gradient is only rounding error, with its largest
            entry.
        notes: sentences for the report.
    """

    kind: str
    backend: str
    spec: Spec
    steps: int
    seeds: int
    epochs: int
    teacher: str
    dtypes: tuple[str, ...]
    versions: dict[str, str]
    platform: dict[str, Any]
    threads: dict[str, int]
    device: str
    timings: dict[str, float]
    peak_memory: int
    results: dict[str, Any]
    rounding: dict[str, float]
    layers: dict[str, str]
    trainable: tuple[str, ...]
    counts: dict[str, int]
    null_gradients: dict[str, float]
    notes: tuple[str, ...]


def write(path: Path, header: Header, tensors: Mapping[str, np.ndarray]) -> None:
    """Write a record atomically as folder ``path``.

    Raises:
        ParityError: ``path`` exists already, or cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    content = {
        "format": FORMAT,
        "version": VERSION,
        **{entry.name: getattr(header, entry.name) for entry in dataclasses.fields(Header)},
        "spec": header.spec.to_json(),
    }
    content.update({name: strict_json.encode_non_finite(content[name]) for name in _FIGURES})
    arrays = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            save_file(arrays, temporary / TENSORS)
            content["tensors"] = {"sha256": checksums.sha256([temporary / TENSORS])[0]}
            (temporary / HEADER).write_text(strict_json.dumps(content), "utf-8")
            for made, mode in ((TENSORS, 0o644), (HEADER, 0o644), ("", 0o755)):
                (temporary / made).chmod(mode)  # temporary files are readable only by their owner
            temporary.replace(path)  # fails if a file or a folder with files exists
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise ParityError(f"--out: cannot write {path}: {error.strerror or error}") from None
    except SafetensorError as error:  # on a full disk, for example
        raise ParityError(f"--out: cannot write {path}: {error}") from None


class Record:
    """A record opened for reading; tensors are read when they are accessed."""

    def __init__(
        self, path: Path, header: Header, tensors: Mapping[str, StoredTensor], sha256: str
    ) -> None:
        """Use :func:`read`."""
        self.path = path
        self.header = header
        self.sha256 = sha256
        self._tensors = tensors
        self.names: tuple[str, ...] = tuple(sorted(tensors))

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor, without reading it."""
        return self._tensors[name].shape

    def dtype(self, name: str) -> str:
        """Return the safetensors name of a tensor's dtype (``F64``), without reading it."""
        return self._tensors[name].dtype_name

    def tensor(self, name: str) -> np.ndarray:
        """Read a tensor."""
        return self._tensors[name][:].reshape(self.shape(name)).copy()

    def entries(self, name: str) -> StoredTensor:
        """Return a tensor that reads only the entries it is sliced for."""
        return self._tensors[name]


@contextmanager
def read(path: Path) -> Iterator[Record]:
    """Open the record at ``path`` after verification of its header and checksum.

    Raises:
        ParityError: it is not a record, has another format version, is truncated or was edited, or
            its tensors do not have the checksum in the header.
    """
    with read_all(path) as (record,):
        yield record


@contextmanager
def read_all(*paths: Path) -> Iterator[list[Record]]:
    """Open several records as :func:`read` does, with checksums verified in parallel."""
    from safetensors import SafetensorError

    contents = [_content(path) for path in paths]
    headers = [
        _header(path / HEADER, content) for path, content in zip(paths, contents, strict=True)
    ]
    for path in paths:
        if not (path / TENSORS).is_file():
            raise ParityError(f"{path}: damaged record: {TENSORS} is missing")
    digests = checksums.sha256([path / TENSORS for path in paths])
    for path, content, found in zip(paths, contents, digests, strict=True):
        expected = content["tensors"]["sha256"]
        if found != expected:
            raise ParityError(
                f"{path}: damaged record: {TENSORS} has sha256 {found[:12]}…, {HEADER} has "
                f"{expected[:12]}…; record it again"
            )
    with ExitStack() as opened:
        records = []
        for path, header, digest in zip(paths, headers, digests, strict=True):
            file = opened.enter_context((path / TENSORS).open("rb"))
            try:
                tensors = safetensors_view.read_tensors(path / TENSORS, file)
            except SafetensorError as error:
                raise ParityError(f"{path}: damaged record: {TENSORS}: {error}") from None
            records.append(Record(path, header, tensors, digest))
            _check_tensors(records[-1])
        yield records


def _content(path: Path) -> dict[str, Any]:
    """Read ``record.json`` and check its format and version."""
    file = path / HEADER
    if not path.exists():
        raise ParityError(f"{path} does not exist; accepted: a folder written by record or train")
    if not file.is_file():
        raise ParityError(f"{path}: not a record: no {HEADER} in it")
    try:
        content = strict_json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ParityError(f"{file}: damaged record: not JSON ({error})") from None
    received = content.get("format") if isinstance(content, dict) else content
    if not isinstance(content, dict) or received != FORMAT:
        raise ParityError(f"{file}: format: received {_short(received)}, accepted: {FORMAT!r}")
    version = content.get("version")
    if type(version) is not int or version != VERSION:
        newer = type(version) is int and version > VERSION
        remedy = "; it was written by a newer release, which can read it" if newer else ""
        raise ParityError(
            f"{file}: format version: received {_short(version)}, accepted: {VERSION}{remedy}"
        )
    return content


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _scores(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(strict_json.is_number(value.get(x)) for x in ("accuracy", "loss"))
        and ("whole" not in value or _whole(value["whole"]))
    )


def _whole(value: Any) -> bool:
    return _scores(value) and all(_count(value.get(x)) for x in ("epochs", "steps"))


def _list_of(one: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(one, value))


def _object_of(one: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(one, value.values()))


def _part_of_dtypes(value: Any) -> bool:
    return isinstance(value, list) and value in (list(DTYPES), *([dtype] for dtype in DTYPES))


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "kind": (KINDS.__contains__, " or ".join(KINDS)),
    "backend": (_text, "text"),
    "steps": (_count, "a whole number"),
    "seeds": (_count, "a whole number"),
    "epochs": (_count, "a whole number"),
    "teacher": (_text, "text"),
    "dtypes": (_part_of_dtypes, f"one or both of {', '.join(DTYPES)}"),
    "versions": (_object_of(_text), "an object of text"),
    "platform": (_object_of(_text), "an object of text"),
    "threads": (_object_of(_count), "an object of whole numbers"),
    "device": (_text, "text"),
    "timings": (_object_of(strict_json.is_number), "an object of numbers"),
    "peak_memory": (_count, "a whole number"),
    "results": (_object_of(_scores), "accuracy and loss, both numbers, by dtype"),
    "rounding": (_object_of(strict_json.is_number), "an object of numbers"),
    "layers": (_object_of(_text), "an object of text"),
    "trainable": (_list_of(_text), "a list of text"),
    "counts": (_object_of(_count), "an object of whole numbers"),
    "null_gradients": (_object_of(strict_json.is_number), "an object of numbers"),
    "notes": (_list_of(_text), "a list of text"),
    "tensors": (lambda value: isinstance(value, dict) and _text(value.get("sha256")), "a sha256"),
}
"""A test and a description of the accepted values of each field of ``record.json``."""


def _header(file: Path, content: Mapping[str, Any]) -> Header:
    for name in ("spec", *_FIELDS):
        if name not in content:
            raise ParityError(f"{file}: damaged record: no {name} in it")
    for name, (admits, accepted) in _FIELDS.items():
        if not admits(content[name]):
            raise ParityError(
                f"{file}: damaged record: {name}: received {_short(content[name])}, "
                f"accepted: {accepted}"
            )
    missing = set(content["dtypes"]) - content["results"].keys()
    if missing and content["kind"] != "replay":
        raise ParityError(f"{file}: damaged record: results: no {', '.join(missing)} in it")
    try:
        spec = spec_from_json(content["spec"], "spec")
        spec.optimizer.constants()  # raises for values outside float32
    except (ParityError, TypeError, ValueError, OverflowError) as error:
        raise ParityError(f"{file}: damaged record: {error}") from None
    values: dict[str, Any] = {
        entry.name: tuple(value) if isinstance(value := content[entry.name], list) else value
        for entry in dataclasses.fields(Header)
    }
    values.update({name: strict_json.decode_non_finite(content[name]) for name in _FIGURES})
    return Header(**{**values, "spec": spec})


def _check_tensors(record: Record) -> None:
    """Check that each tensor belongs to a rung and has a dtype that NumPy supports."""
    for name in record.names:
        dtype, rung, rest = (*name.split("/", 2), "", "")[:3]
        if dtype not in record.header.dtypes or rung not in rungs.TITLES or not rest:
            raise ParityError(f"{record.path}: damaged record: tensor {name!r} belongs to no rung")
        if record.dtype(name) not in safetensors_view.ELEMENTS:
            raise ParityError(
                f"{record.path}: damaged record: tensor {name}: received {record.dtype(name)}, "
                f"accepted: {', '.join(safetensors_view.ELEMENTS)}"
            )


def _short(value: Any) -> str:
    """Return a value as text for a message, shortened if necessary."""
    return reprlib.repr(value)
