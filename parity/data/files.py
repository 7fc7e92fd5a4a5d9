"""Bytes on disk: checksums, IDX and npz files, whole-file writes.

Nothing here knows a data set. Every failure is a ParityError that names the file.
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
)  # what NumPy raises at files that are no .npz, damaged ones and pickles
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: equal content, equal bytes


def sha256(raw: bytes) -> str:
    """Return the SHA-256 of `raw` as 64 lower-case hex digits."""
    return hashlib.sha256(raw).hexdigest()


def read_bytes(path: Path) -> bytes:
    """Return the whole file.

    Raises:
        ParityError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ParityError(f"cannot read {path}: {error.strerror or error}") from error


def require_sha256(raw: bytes, expected: str, path: Path | str, remedy: str) -> None:
    """Refuse bytes that are not the expected ones.

    Args:
        raw: what was read, decompressed where `expected` speaks of the decompressed file.
        expected: 64 lower-case hex digits.
        path: where `raw` came from, for the message.
        remedy: what the reader of the message should do.

    Raises:
        ParityError: the checksums differ; the message quotes both.
    """
    found = sha256(raw)
    if found != expected:
        raise ParityError(f"{path} is damaged: expected sha256 {expected}, found {found}; {remedy}")


def gunzip(raw: bytes, expected: str, path: Path | str, remedy: str) -> bytes:
    """Decompress the content of a .gz file and refuse what is not the expected file.

    Args:
        raw: the compressed bytes.
        expected: SHA-256 of the decompressed bytes; a .gz has as many as there are compressors.
        path: where `raw` came from, for the message.
        remedy: what the reader of the message should do.

    Raises:
        ParityError: `raw` is truncated, is not gzip, or holds another file.
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
        ndim: how many axes it must have: 3 for images, 1 for labels.
        path: where `raw` came from, for the message.

    Returns:
        uint8 array of `ndim` axes, a read-only view of `raw`.

    Raises:
        ParityError: another magic number, or more or fewer bytes than the header announces.
    """
    start = 4 * (1 + ndim)
    if len(raw) < start:
        raise ParityError(f"{path} is no IDX file: {len(raw)} bytes, its header alone has {start}")
    magic, *shape = struct.unpack_from(f">{1 + ndim}I", raw)
    if magic != _IDX_UINT8 + ndim:
        raise ParityError(
            f"{path} is no IDX file of {ndim}-D bytes: magic {magic}, expected {_IDX_UINT8 + ndim}"
        )
    announced = start + int(np.prod(shape, dtype=object))  # Python ints: the header may lie
    if len(raw) != announced:
        raise ParityError(
            f"{path} is damaged: {len(raw)} bytes, its header announces {announced} {tuple(shape)}"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def encode_idx(array: np.ndarray) -> bytes:
    """Return the IDX file that holds a uint8 array of any number of axes."""
    header = struct.pack(f">{1 + array.ndim}I", _IDX_UINT8 + array.ndim, *array.shape)
    return header + array.tobytes()


def decode_npz(
    raw: bytes, keys: tuple[str, ...], path: Path | str, optional: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """Read the arrays named `keys` from an npz file, never unpickling anything.

    Args:
        raw: the whole file.
        keys: what the file must hold.
        path: where `raw` came from, for the message.
        optional: what else to read where the file holds it.

    Raises:
        ParityError: not an npz file, or one of the arrays is absent or unreadable.
    """
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            held = tuple(archive.files)
            found = {key: archive[key] for key in (*keys, *optional) if key in held}
    except _NO_NPZ as error:
        reason = " ".join(str(error).split())  # NumPy's messages may have several lines
        raise ParityError(f"{path} is no readable .npz file ({reason})") from error
    if not set(keys) <= found.keys():
        holds = ", ".join(held) or "nothing"
        raise ParityError(f"{path} holds {holds}, accepted: {' and '.join(keys)}")
    for key, value in found.items():
        if not isinstance(value, np.ndarray):  # NumPy gives any other member as bytes
            raise ParityError(f"{path}: {key} is no array")
    return found


def encode_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return a compressed npz file whose bytes depend on nothing but the arrays and their order.

    The bytes repeat for one build of zlib; another build may compress the same arrays differently.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for key, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            info = zipfile.ZipInfo(f"{key}.npy", _ZIP_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # "made on Unix", wherever it was made
            info.external_attr = 0o644 << 16  # without it, unzip leaves files nobody may read
            archive.writestr(info, member.getvalue(), compresslevel=9)
    return out.getvalue()


def read_member(source: Path, member: str) -> tuple[bytes, str]:
    """Read one file of a Python package from its wheel, or from a folder that holds the file.

    Args:
        source: a .whl file, or a folder with the file itself.
        member: path of the file inside the wheel, parted by slashes.

    Returns:
        The bytes, and where they were read from.

    Raises:
        ParityError: the wheel or the folder lacks the file, or cannot be read.
    """
    if source.suffix != ".whl":
        path = source / member.rpartition("/")[2]
        return read_bytes(path), str(path)
    try:
        with zipfile.ZipFile(source) as wheel:
            return wheel.read(member), f"{source}:{member}"
    except KeyError as error:
        raise ParityError(f"{source} does not hold {member}; give another version") from error
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ParityError(f"cannot read {source}: {error}") from error
