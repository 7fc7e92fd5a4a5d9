"""Full-size data sets: search for existing copies, and download.

The four IDX files of a set are searched for in this order:
1. the folder that the user gives, or below it in Keras's or torchvision's layout, and nowhere else;
2. the Debian package's folder;
3. Keras's cache, `$KERAS_HOME/datasets` or `~/.keras/datasets`;
4. torchvision's layout, `<root>/<Set>/raw`, with `./data`, `../data` and `~/data` as roots;
5. this project's own cache, `$XDG_CACHE_HOME/parity` or `~/.cache/parity`, the target of downloads.
The SHA-256 of the decompressed files is verified before they are used.
"""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parity.data.files import (
    decode_idx,
    decode_npz,
    encode_idx,
    gunzip,
    read_bytes,
    require_sha256,
    sha256,
)
from parity.errors import ParityError
from parity.progress import Progress
from parity.system.atomic import write_atomically

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
TORCHVISION_ROOTS = ("data", "../data", "~/data")
_PIECE = 1 << 16  # bytes between two updates of the progress bar
_TIMEOUT = 60  # seconds without an answer from the server
_REMEDY = "delete it and give --download, or replace it with an intact copy"
_DOWNLOAD_REMEDY = (
    "nothing was saved; try again, or put the files in a folder and give --data-dir DIR"
)


@dataclass(frozen=True)
class FullSet:
    """Checksums of a full set, its URL, and its folders in other projects' caches."""

    sha256: Mapping[str, str]
    """SHA-256 of each decompressed IDX file, by array name."""
    url: str
    """URL of a folder with the four files as .gz."""
    keras: str
    """Path below Keras's `datasets` cache: a folder of IDX files, or an npz file."""
    torchvision: str
    """Name of the torchvision class, and so of its folder."""
    debian: str | None = None
    """Folder of the Debian package, if there is one."""
    npz_sha256: str | None = None
    """SHA-256 of Keras's npz file, if Keras has one."""


FULL_SETS = {
    "fashion_mnist": FullSet(
        sha256={
            "x_train": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "y_train": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "x_test": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "y_test": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        url="https://storage.googleapis.com/tensorflow/tf-keras-datasets",
        keras="fashion-mnist",
        torchvision="FashionMNIST",
        debian="/usr/share/datasets/fashion-mnist",
    ),
    "mnist": FullSet(
        sha256={
            "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        url="https://ossci-datasets.s3.amazonaws.com/mnist",
        keras="mnist.npz",
        torchvision="MNIST",
        npz_sha256="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    ),
}


@dataclass(frozen=True)
class RawSet:
    """The four arrays of a full set as stored in its files, and their source."""

    arrays: dict[str, np.ndarray]
    """uint8: `x_*` (N, H, W), `y_*` (N,)."""
    source: str
    sha256: str
    """SHA-256 of the four checksums as printed by `sha256sum`; equal for equal content."""


def find(name: str, data_dir: str | Path | None = None) -> RawSet | None:
    """Read the full set from the first place that has it; return None if no place does.

    Args:
        name: a key of `FULL_SETS`.
        data_dir: the only folder to search (or, for mnist, Keras's npz file); None for all places.

    Raises:
        ParityError: a file of the first place that has all files is damaged.
    """
    full = FULL_SETS[name]
    for place in places(name, data_dir):
        if not _missing(full, place):
            return _read_npz(full, place) if place.suffix == ".npz" else _read_folder(full, place)
    return None


def places(name: str, data_dir: str | Path | None = None) -> tuple[Path, ...]:
    """Return the places that `find` searches, in order: folders of IDX files, and npz files."""
    full = FULL_SETS[name]
    raw = Path(full.torchvision, "raw")
    if data_dir is not None:
        folder = _expand(data_dir)
        return folder, folder / full.keras, folder / raw
    debian = (Path(full.debian),) if full.debian else ()
    keras = _expand(os.environ.get("KERAS_HOME") or "~/.keras") / "datasets" / full.keras
    torchvision = (_expand(root) / raw for root in TORCHVISION_ROOTS)
    return (*debian, keras, *torchvision, cache_folder(name))


def cache_folder(name: str) -> Path:
    """Return the default folder of downloads."""
    return _expand(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "parity" / name


def describe_places(name: str, data_dir: str | Path | None = None) -> str:
    """List `places` for a message, with the missing files of places that have some."""
    full = FULL_SETS[name]
    described = []
    for place in places(name, data_dir):
        missing = _missing(full, place)
        partly = 0 < len(missing) < len(IDX_FILES) and place.suffix != ".npz"
        described.append(f"{place} (missing: {', '.join(missing)})" if partly else str(place))
    return ", ".join(described)


def download(name: str, folder: str | Path | None = None, mirror: str | None = None) -> RawSet:
    """Download the four .gz files of a set, verify all of them, and only then write them.

    Args:
        name: a key of `FULL_SETS`.
        folder: where to save them; None for `cache_folder(name)`.
        mirror: URL of a folder with the files, instead of the default one.

    Raises:
        ParityError: a file cannot be downloaded, is not the expected one, or cannot be written.
            No file is written unless all were downloaded.
    """
    full = FULL_SETS[name]
    target = cache_folder(name) if folder is None else _expand(folder)
    base = (mirror or full.url).rstrip("/")
    fetched, arrays = {}, {}
    for key, file_name in IDX_FILES.items():
        url = f"{base}/{file_name}.gz"
        fetched[key] = _fetch(url)
        idx = gunzip(fetched[key], full.sha256[key], url, _DOWNLOAD_REMEDY)
        arrays[key] = _decode(key, idx, url)
    for key, raw in fetched.items():
        write_atomically(target / f"{IDX_FILES[key]}.gz", raw)
    return RawSet(arrays, f"{base}, saved in {target}", _digest(full.sha256))


def _expand(path: str | Path) -> Path:
    return Path(os.path.expanduser(path))  # Path.expanduser raises without a home folder


def _missing(full: FullSet, place: Path) -> list[str]:
    """Return the names of the files that a place does not have."""
    if place.suffix == ".npz":
        return [] if full.npz_sha256 and os.path.isfile(place) else [place.name]
    return [file_name for file_name in IDX_FILES.values() if _idx_path(place, file_name) is None]


def _idx_path(folder: Path, file_name: str) -> Path | None:
    """Return the path of the plain file, which is faster to read, else that of the .gz file."""
    paths = (folder / file_name, folder / f"{file_name}.gz")
    return next((path for path in paths if os.path.isfile(path)), None)


def _read_folder(full: FullSet, folder: Path) -> RawSet:
    arrays = {}
    for key, file_name in IDX_FILES.items():
        path = _idx_path(folder, file_name) or folder / file_name
        raw = read_bytes(path)
        if path.suffix == ".gz":
            raw = gunzip(raw, full.sha256[key], path, _REMEDY)
        else:
            require_sha256(raw, full.sha256[key], path, _REMEDY)
        arrays[key] = _decode(key, raw, path)
    return RawSet(arrays, str(folder), _digest(full.sha256))


def _read_npz(full: FullSet, path: Path) -> RawSet:
    raw = read_bytes(path)
    require_sha256(raw, full.npz_sha256 or "", path, _REMEDY)
    arrays = decode_npz(raw, ARRAYS, path)
    as_idx = {key: sha256(encode_idx(array)) for key, array in arrays.items()}
    return RawSet(arrays, str(path), _digest(as_idx))


def _decode(key: str, idx: bytes, path: Path | str) -> np.ndarray:
    return decode_idx(idx, 3 if key.startswith("x_") else 1, path)


def _digest(checksums: Mapping[str, str]) -> str:
    lines = (f"{checksums[key]}  {file_name}\n" for key, file_name in IDX_FILES.items())
    return sha256("".join(lines).encode())


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
            size = int(response.headers.get("Content-Length") or 0)
            pieces = []
            with Progress(f"download {url.rsplit('/', 1)[-1]}", size) as progress:
                while piece := response.read(_PIECE):
                    pieces.append(piece)
                    progress.advance(by=len(piece))
            return b"".join(pieces)
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # the error is the response and keeps the connection open
        raise ParityError(f"cannot download {url}: {error}; {_DOWNLOAD_REMEDY}") from error
