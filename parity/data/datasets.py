"""The data sets: what lies in `datasets/`, or the full set where the user has it.

Every array that leaves this module has one form, whatever file it came from: images are
(N, H, W, C) float32 in [0, 1]; sequences are (N, T, D) float32, zero padded, with their lengths.
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
    """The examples of one split, in the order of their file."""

    x: np.ndarray
    """float32. Images (N, H, W, C) in [0, 1]; sequences (N, T, D), zero after their last step.

    It may be an ``np.memmap``: training then reads what a hundred steps need, and no more.
    """
    y: np.ndarray
    """int64 (N,), class indices."""
    lengths: np.ndarray | None
    """int64 (N,), valid steps of each sequence, 1 to T; None for images."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set and where it came from."""

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    source: str
    """Where it was read from, for people."""
    size: str
    """Either "embedded" or "full"."""
    sha256: str
    """Of the embedded file; of a full set, over the checksums of its four decompressed files."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example: (H, W, C) for images, (T, D) for sequences."""
        return self.train.x.shape[1:]


@dataclass(frozen=True)
class _Entry:
    classes: tuple[str, ...]
    brightest: int | None  # the pixel value that becomes 1; None for sequences
    embedded_sha256: str | None  # None where terms or size forbid to embed


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
        brightest=255,
        embedded_sha256="febe7526268190661d8d25799d47aa7c67c730d2d64e5a4c8b05a42bb48ab34a",
    ),
    "japanese_vowels": _Entry(
        classes=tuple(f"speaker {number}" for number in range(1, 10)),
        brightest=None,
        embedded_sha256="827ab5b247adf57fec82d39f0f8758ceb21df7136d068c1e9d156be0f93693da",
    ),
    "digits": _Entry(
        classes=_DIGIT_NAMES,
        brightest=16,
        embedded_sha256="78674f667780216db68764531ab91ce446b2adaa5c656ed203a6433b9107d1d8",
    ),
    "mnist": _Entry(classes=_DIGIT_NAMES, brightest=255, embedded_sha256=None),
}
DATASETS: tuple[str, ...] = tuple(_ENTRIES)


def brightest(name: str) -> int | None:
    """The pixel value that a data set scales to 1, or None for sequences."""
    return _ENTRIES[name].brightest


def class_names(name: str) -> tuple[str, ...]:
    """Return what the labels of a data set stand for, by label; no file is read.

    Raises:
        ParityError: an unknown name.
    """
    if name not in _ENTRIES:
        raise ParityError(f"unknown data set {name!r}; accepted: {', '.join(DATASETS)}")
    return _ENTRIES[name].classes


def is_embedded(name: str) -> bool:
    """Whether a data set has a file in `datasets/`."""
    return _ENTRIES[name].embedded_sha256 is not None


def full_set_flags(data_dir: str | Path | None, download: bool | None) -> str:
    """Those of the flags that ask for the full set, as they were given, for a message."""
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
    """Load a data set, checked against its checksum and by `check`.

    Args:
        name: one of `DATASETS`.
        size: "embedded" for the file in `datasets/`; "full" for the full set; "auto" for the full
            set where it is found, or where `data_dir` or `download` asks for it, else the embedded
            file. `parity.data.sources` tells where the full set is looked for.
        data_dir: the only folder to look for the full set in.
        download: fetch the full set where it is not found, into `data_dir` or the cache.
        mirror: URL of a folder to fetch from instead of upstream's.

    Returns:
        Both splits: `x` float32, `y` int64, `lengths` int64 or None.

    Raises:
        ParityError: an unknown name or size, a size that the set does not come in, a full set that
            is not found or cannot be fetched, a damaged file.
    """
    class_names(name)  # refuses an unknown name
    if size not in SIZES:
        raise ParityError(f"--data: received {size!r}, accepted: {', '.join(SIZES)}")
    asked = full_set_flags(data_dir, download)
    _require_size_exists(name, size, asked)
    if size == "embedded" or name not in sources.FULL_SETS:
        return _load_embedded(name)

    raw = sources.find(name, data_dir)
    if raw is None and download:
        raw = sources.download(name, data_dir, mirror)
    if raw is not None:
        return _assemble(name, raw.arrays, raw.source, "full", raw.sha256)
    if size == "full" or asked or not is_embedded(name):
        places = sources.looked_in(name, data_dir)
        raise ParityError(
            f"{name} (full set) not found: looked in {places}; give --data-dir DIR or --download"
        )
    return _load_embedded(name)


def check(split: Split, classes: int, name: str) -> None:
    """Refuse a split that no classifier could be trained or tested on.

    Args:
        split: what to check.
        classes: number of classes; labels are 0 to `classes` - 1.
        name: what to call the split in the message, such as "digits train".

    Raises:
        ParityError: no examples; other axes than (N, H, W, C) or, with lengths, (N, T, D); counts
            that differ; a label or length that is out of range or no integer; NaN or Inf in `x`.
    """
    x, y, lengths = split.x, split.y, split.lengths
    axes = "(N, H, W, C)" if lengths is None else "(N, T, D)"
    if x.ndim != axes.count(",") + 1:
        raise ParityError(f"{name}: x has shape {x.shape}; accepted: {axes}")
    if x.size == 0:
        raise ParityError(f"{name}: x has shape {x.shape}, which is empty; at least one is needed")
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


def _require_size_exists(name: str, size: str, asked: str) -> None:
    """Refuse what does not exist; `asked` holds the flags given that ask for the full set."""
    if name not in sources.FULL_SETS and (size == "full" or asked):
        received = " ".join(["--data full", asked] if size == "full" else [asked]).strip()
        raise ParityError(
            f"{received}: does not apply to {name}, which comes embedded only; "
            "accepted: --data auto or embedded"
        )
    if size == "embedded" and not is_embedded(name):
        raise ParityError(
            f"--data: received 'embedded' for {name}, which has no embedded file; "
            "accepted: auto or full, from the caches, --data-dir DIR or --download"
        )
    if size == "embedded" and asked:
        raise ParityError(
            f"{asked}: contradicts --data embedded of {name}; accepted: one of the two"
        )


def _embedded_path(name: str) -> Path:
    """Return the file inside an installed wheel or, in a checkout, the one in `datasets/`."""
    package = Path(__file__).resolve().parent.parent
    packed = package / "_datasets" / name / f"{name}.npz"
    in_checkout = package.parent / "datasets" / name / f"{name}.npz"
    if os.path.isfile(packed):
        return packed
    if os.path.isfile(in_checkout):
        return in_checkout
    raise ParityError(
        f"{name} (embedded) not found: looked in {packed}, {in_checkout}; "
        "install the package again or restore the file from the repository"
    )


def _load_embedded(name: str) -> Dataset:
    path = _embedded_path(name)
    expected = _ENTRIES[name].embedded_sha256 or ""
    raw = read_bytes(path)
    remedy = f"restore it from the repository or make it with datasets/{name}/prepare.py"
    require_sha256(raw, expected, path, remedy)
    keys: tuple[str, ...] = sources.ARRAYS
    if _ENTRIES[name].brightest is None:
        keys = (*keys, "lengths_train", "lengths_test")
    return _assemble(name, decode_npz(raw, keys, path), str(path), "embedded", expected)


def _assemble(
    name: str, arrays: dict[str, np.ndarray], source: str, size: str, sha256: str
) -> Dataset:
    entry = _ENTRIES[name]
    splits = {}
    for split in ("train", "test"):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"].astype(np.int64)
        if entry.brightest is None:
            splits[split] = Split(
                x.astype(np.float32), y, arrays[f"lengths_{split}"].astype(np.int64)
            )
        else:
            # One pass: equal, bit for bit, to x.astype(float32) / float32(brightest).
            pixels = np.divide(x, np.float32(entry.brightest), dtype=np.float32)
            splits[split] = Split(pixels[..., np.newaxis], y, None)
        check(splits[split], len(entry.classes), f"{name} {split}, from {source}")
    return Dataset(name, entry.classes, splits["train"], splits["test"], source, size, sha256)
