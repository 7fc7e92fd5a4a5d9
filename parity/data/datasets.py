"""Loading and validation of data sets: the embedded files in `datasets/`, or the full sets.

Images are (N, H, W, C) float32 in [0, 1]; sequences are (N, T, D) float32, zero-padded, with
their lengths.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parity.data import sources
from parity.data.files import decode_npz, read_bytes, require_sha256
from parity.errors import ParityError

SIZES = ("auto", "embedded", "full")


@dataclass(frozen=True, eq=False)
class Split:
    """The training or the test examples, in the order of their file."""

    x: np.ndarray
    """float32. Images (N, H, W, C) in [0, 1]; sequences (N, T, D), zero after their last step.

    From an ``np.memmap``, training reads only the examples of the next steps.
    """
    y: np.ndarray
    """int64 (N,), class indices."""
    lengths: np.ndarray | None
    """int64 (N,), valid steps of each sequence, 1 to T; None for images."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set and its source."""

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    source: str
    """Description of where it was read from."""
    size: str
    """Either "embedded" or "full"."""
    sha256: str
    """SHA-256 of the embedded file; for a full set, that of the checksums of its four files."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example: (H, W, C) for images, (T, D) for sequences."""
        return self.train.x.shape[1:]


@dataclass(frozen=True)
class _Entry:
    classes: tuple[str, ...]
    max_pixel: int | None  # pixel value that is scaled to 1; None for sequences
    embedded_sha256: str | None  # None if the licence or the size does not allow embedding


_DIGIT_NAMES = tuple("0123456789")
_ENTRIES = {
    "fashion_mnist": _Entry(
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        max_pixel=255,
        embedded_sha256="febe7526268190661d8d25799d47aa7c67c730d2d64e5a4c8b05a42bb48ab34a",
    ),
    "japanese_vowels": _Entry(
        classes=tuple(f"speaker {number}" for number in range(1, 10)),
        max_pixel=None,
        embedded_sha256="827ab5b247adf57fec82d39f0f8758ceb21df7136d068c1e9d156be0f93693da",
    ),
    "digits": _Entry(
        classes=_DIGIT_NAMES,
        max_pixel=16,
        embedded_sha256="78674f667780216db68764531ab91ce446b2adaa5c656ed203a6433b9107d1d8",
    ),
    "mnist": _Entry(classes=_DIGIT_NAMES, max_pixel=255, embedded_sha256=None),
}
DATASETS: tuple[str, ...] = tuple(_ENTRIES)


def max_pixel(name: str) -> int | None:
    """Return the pixel value that is scaled to 1, or None for sequences."""
    return _ENTRIES[name].max_pixel


def class_names(name: str) -> tuple[str, ...]:
    """Return the class names of a data set, by label; no file is read.

    Raises:
        ParityError: the name is unknown.
    """
    if name not in _ENTRIES:
        raise ParityError(f"unknown data set {name!r}; accepted: {', '.join(DATASETS)}")
    return _ENTRIES[name].classes


def is_embedded(name: str) -> bool:
    """Return whether a data set has a file in `datasets/`."""
    return _ENTRIES[name].embedded_sha256 is not None


def full_set_flags(data_dir: str | Path | None, download: bool | None) -> str:
    """Return the given flags that request the full set, as text for a message."""
    given = [f"--data-dir {data_dir}"] if data_dir is not None else []
    return " ".join([*given, "--download"] if download else given)


def load(
    name: str,
    *,
    size: str = "auto",
    data_dir: str | Path | None = None,
    download: bool = False,
    mirror: str | None = None,
) -> Dataset:
    """Load a data set, and verify its checksum and its arrays (see `check`).

    Args:
        name: one of `DATASETS`.
        size: "embedded" for the file in `datasets/`; "full" for the full set; "auto" for the full
            set if it is found, or if `data_dir` or `download` requests it, else the embedded file.
            `parity.data.sources` lists the folders that are searched.
        data_dir: the only folder to search for the full set.
        download: download the full set if it is not found, into `data_dir` or the cache.
        mirror: URL of a folder to download from instead of the default one.

    Returns:
        Both splits: `x` float32, `y` int64, `lengths` int64 or None.

    Raises:
        ParityError: the name or size is unknown, the set does not exist in this size, the full set
            is not found or cannot be downloaded, or a file is damaged.
    """
    class_names(name)  # raises for an unknown name
    if size not in SIZES:
        raise ParityError(f"--data: received {size!r}, accepted: {', '.join(SIZES)}")
    flags = full_set_flags(data_dir, download)
    _require_size_exists(name, size, flags)
    if size == "embedded" or name not in sources.FULL_SETS:
        return _load_embedded(name)

    raw = sources.find(name, data_dir)
    if raw is None and download:
        raw = sources.download(name, data_dir, mirror)
    if raw is not None:
        return _assemble(name, raw.arrays, raw.source, "full", raw.sha256)
    if size == "full" or flags or not is_embedded(name):
        places = sources.describe_places(name, data_dir)
        raise ParityError(
            f"{name} (full set) not found in {places}; give --data-dir DIR or --download"
        )
    return _load_embedded(name)


def check(split: Split, classes: int, name: str) -> None:
    """Check that a split can be used to train and test a classifier.

    Args:
        split: the examples.
        classes: number of classes; labels are 0 to `classes` - 1.
        name: name of the split for messages, such as "digits train".

    Raises:
        ParityError: there are no examples; the axes are not (N, H, W, C) or, with lengths,
            (N, T, D); the counts differ; a label or length is out of range or not an integer; `x`
            contains NaN or Inf.
    """
    x, y, lengths = split.x, split.y, split.lengths
    axes = "(N, H, W, C)" if lengths is None else "(N, T, D)"
    if x.ndim != axes.count(",") + 1:
        raise ParityError(f"{name}: x has shape {x.shape}; accepted: {axes}")
    if x.size == 0:
        raise ParityError(f"{name}: x has shape {x.shape}; accepted: at least one example")
    if not np.isfinite(x).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise ParityError(f"{name}: x{list(where)} is {x[where]}; accepted: finite numbers")
    _check_integers(y, len(x), 0, classes - 1, f"{name}: y")
    if lengths is not None:
        _check_integers(lengths, len(x), 1, x.shape[1], f"{name}: lengths")


def _check_integers(values: np.ndarray, count: int, low: int, high: int, name: str) -> None:
    if values.shape != (count,):
        raise ParityError(f"{name} has shape {values.shape}; x has {count} examples: ({count},)")
    if not np.issubdtype(values.dtype, np.integer):
        raise ParityError(f"{name} has dtype {values.dtype}; accepted: integers")
    outside = np.flatnonzero((values < low) | (values > high))
    if outside.size:
        first = int(outside[0])
        raise ParityError(f"{name}[{first}] is {values[first]}; accepted: {low} to {high}")


def _require_size_exists(name: str, size: str, flags: str) -> None:
    """Check that a data set exists in this size; `flags` are those that request the full set."""
    if name not in sources.FULL_SETS and (size == "full" or flags):
        received = " ".join(["--data full", flags] if size == "full" else [flags]).strip()
        raise ParityError(
            f"{received}: does not apply to {name}, which is embedded only; "
            "accepted: --data auto or embedded"
        )
    if size == "embedded" and not is_embedded(name):
        raise ParityError(
            f"--data: received 'embedded' for {name}, which is not embedded; "
            "accepted: auto or full, from a cache, --data-dir DIR or --download"
        )
    if size == "embedded" and flags:
        raise ParityError(
            f"{flags}: contradicts --data embedded of {name}; accepted: one of the two"
        )


def _embedded_path(name: str) -> Path:
    """Return the file of an installed wheel or, in a checkout, the file in `datasets/`."""
    package = Path(__file__).resolve().parent.parent
    packed = package / "_datasets" / name / f"{name}.npz"
    in_checkout = package.parent / "datasets" / name / f"{name}.npz"
    if os.path.isfile(packed):
        return packed
    if os.path.isfile(in_checkout):
        return in_checkout
    raise ParityError(
        f"{name} (embedded) not found in {packed}, {in_checkout}; "
        "install the package again or restore the file from the repository"
    )


def _load_embedded(name: str) -> Dataset:
    path = _embedded_path(name)
    expected = _ENTRIES[name].embedded_sha256 or ""
    raw = read_bytes(path)
    remedy = f"restore it from the repository or create it with datasets/{name}/prepare.py"
    require_sha256(raw, expected, path, remedy)
    keys: tuple[str, ...] = sources.ARRAYS
    if _ENTRIES[name].max_pixel is None:
        keys = (*keys, "lengths_train", "lengths_test")
    return _assemble(name, decode_npz(raw, keys, path), str(path), "embedded", expected)


def _assemble(
    name: str, arrays: dict[str, np.ndarray], source: str, size: str, sha256: str
) -> Dataset:
    entry = _ENTRIES[name]
    splits = {}
    for split in ("train", "test"):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"].astype(np.int64)
        if entry.max_pixel is None:
            splits[split] = Split(
                x.astype(np.float32), y, arrays[f"lengths_{split}"].astype(np.int64)
            )
        else:
            # One pass; bit-identical to x.astype(float32) / float32(max_pixel).
            pixels = np.divide(x, np.float32(entry.max_pixel), dtype=np.float32)
            splits[split] = Split(pixels[..., np.newaxis], y, None)
        check(splits[split], len(entry.classes), f"{name} {split}, from {source}")
    return Dataset(name, entry.classes, splits["train"], splits["test"], source, size, sha256)
