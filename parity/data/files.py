"""Checksums, gzip, IDX and npz files, and files of a wheel.

Nothing here depends on a data set. Every error is a ParityError that names the file.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from parity.errors import ParityError

_IDX_UINT8 = 0x0800  # the type code of unsigned bytes; the number of axes is added to it
_NO_NPZ = (
    *(OSError, ValueError, EOFError, TypeError, AttributeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error),
)  # NumPy's errors for files that are not npz files, are damaged or contain pickles
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time of a zip: equal content gives equal bytes


def sha256(raw: bytes) -> str:
    """Return the SHA-256 of `raw` as 64 lower-case hex digits."""
    return hashlib.sha256(raw).hexdigest()


def read_bytes(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        ParityError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ParityError(f"cannot read {path}: {error.strerror or error}") from error


def require_sha256(raw: bytes, expected: str, path: Path | str, remedy: str) -> None:
    """Check that bytes have the expected checksum.

    Args:
        raw: the bytes, decompressed if `expected` is that of the decompressed file.
        expected: SHA-256 as 64 lower-case hex digits.
        path: where `raw` was read from, for the message.
        remedy: what the user should do, for the message.

    Raises:
        ParityError: the checksums differ; the message contains both.
    """
    found = sha256(raw)
    if found != expected:
        raise ParityError(f"{path} is damaged: expected sha256 {expected}, found {found}; {remedy}")


def gunzip(raw: bytes, expected: str, path: Path | str, remedy: str) -> bytes:
    """Decompress the content of a .gz file and check that it is the expected one.

    Args:
        raw: the compressed bytes.
        expected: SHA-256 of the decompressed bytes, as compressors produce different .gz files.
        path: where `raw` was read from, for the message.
        remedy: what the user should do, for the message.

    Raises:
        ParityError: `raw` is truncated, is not gzip, or contains another file.
    """
    try:
        content = gzip.decompress(raw)
    except (EOFError, OSError, zlib.error) as error:
        raise ParityError(
            f"{path} is damaged: expected decompressed sha256 {expected}, "
            f"found {len(raw)} bytes that do not decompress ({error}); {remedy}"
        ) from error
    require_sha256(content, expected, path, remedy)
    return content


def decode_idx(raw: bytes, ndim: int, path: Path | str) -> np.ndarray:
    """Read an IDX file of unsigned bytes.

    Args:
        raw: the decompressed file.
        ndim: number of axes: 3 for images, 1 for labels.
        path: where `raw` was read from, for the message.

    Returns:
        uint8 array of `ndim` axes, a read-only view of `raw`.

    Raises:
        ParityError: the magic number is another one, or the size is not that in the header.
    """
    start = 4 * (1 + ndim)
    if len(raw) < start:
        raise ParityError(f"{path} is not an IDX file: {len(raw)} bytes, its header has {start}")
    magic, *shape = struct.unpack_from(f">{1 + ndim}I", raw)
    if magic != _IDX_UINT8 + ndim:
        raise ParityError(
            f"{path} is not an IDX file of {ndim}-D bytes: magic number {magic}, "
            f"expected {_IDX_UINT8 + ndim}"
        )
    expected = start + int(np.prod(shape, dtype=object))  # Python ints: the header may be wrong
    if len(raw) != expected:
        raise ParityError(
            f"{path} is damaged: {len(raw)} bytes, expected {expected} for shape {tuple(shape)}"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def encode_idx(array: np.ndarray) -> bytes:
    """Return the content of an IDX file for a uint8 array of any number of axes."""
    header = struct.pack(f">{1 + array.ndim}I", _IDX_UINT8 + array.ndim, *array.shape)
    return header + array.tobytes()


def decode_npz(
    raw: bytes, keys: tuple[str, ...], path: Path | str, optional: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """Read the arrays named `keys` from an npz file, without unpickling.

    Args:
        raw: the whole file.
        keys: names of the required arrays.
        path: where `raw` was read from, for the message.
        optional: names of arrays to read if the file contains them.

    Raises:
        ParityError: it is not an npz file, or an array is missing or unreadable.
    """
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            names = tuple(archive.files)
            found = {key: archive[key] for key in (*keys, *optional) if key in names}
    except _NO_NPZ as error:
        reason = " ".join(str(error).split())  # NumPy's messages may have several lines
        raise ParityError(f"{path} is not a readable .npz file ({reason})") from error
    if not set(keys) <= found.keys():
        contains = ", ".join(names) or "nothing"
        raise ParityError(f"{path} contains {contains}, accepted: {' and '.join(keys)}")
    for key, value in found.items():
        if not isinstance(value, np.ndarray):  # NumPy returns other files as bytes
            raise ParityError(f"{path}: {key} is not an array")
    return found


def encode_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return a compressed npz file whose bytes depend only on the arrays and their order.

    Another build of zlib may compress the same arrays differently.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for key, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            info = zipfile.ZipInfo(f"{key}.npy", _ZIP_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # Unix, on every system
            info.external_attr = 0o644 << 16  # without it, unzipped files are not readable
            archive.writestr(info, member.getvalue(), compresslevel=9)
    return out.getvalue()


def read_member(source: Path, member: str) -> tuple[bytes, str]:
    """Read one file of a Python package from its wheel, or from a folder that contains the file.

    Args:
        source: a .whl file, or a folder with the file.
        member: path of the file inside the wheel, with slashes.

    Returns:
        The bytes, and a description of where they were read from.

    Raises:
        ParityError: the file is missing from the wheel or the folder, or cannot be read.
    """
    if source.suffix != ".whl":
        path = source / member.rpartition("/")[2]
        return read_bytes(path), str(path)
    try:
        with zipfile.ZipFile(source) as wheel:
            return wheel.read(member), f"{source}:{member}"
    except KeyError as error:
        raise ParityError(f"{source} does not contain {member}; give another version") from error
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ParityError(f"cannot read {source}: {error}") from error
