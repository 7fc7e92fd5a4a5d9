"""Verify a copy of MNIST and, with --out, write it as the four IDX files that the loader reads.

    python datasets/mnist/prepare.py --source ~/.keras/datasets/mnist.npz --out DIR

The source is Keras's mnist.npz, or a folder of IDX files, plain or .gz, or torchvision's root.
Without --source, every place of parity.data.sources is searched. MNIST is not embedded: its
licence is share-alike. Needs the project to be installed.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

from parity.data import sources
from parity.data.files import encode_idx, require_sha256
from parity.data.prepare import run
from parity.errors import ParityError
from parity.system.atomic import write_atomically

NAME = "mnist"


def prepare(source: Path | None, out: Path | None) -> str:
    """Verify the SHA-256 of every array's IDX file and write .gz files to the folder `out`.

    Returns:
        A line with the checksum and the source.

    Raises:
        ParityError: MNIST is not found or damaged, or `out` cannot be written.
    """
    full = sources.find(NAME, source)
    if full is None:
        places = sources.describe_places(NAME, source)
        raise ParityError(f"{NAME} not found in {places}; give --source DIR")
    files = {}
    for key, file_name in sources.IDX_FILES.items():
        idx = encode_idx(full.arrays[key])
        expected = sources.FULL_SETS[NAME].sha256[key]
        require_sha256(idx, expected, f"{full.source} as {file_name}", "take another copy")
        files[f"{file_name}.gz"] = idx
    if out is not None:
        for file_name, idx in files.items():
            write_atomically(out / file_name, gzip.compress(idx, mtime=0))
    return f"{full.sha256}  {full.source}"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see :func:`parity.data.prepare.run`."""
    return run(
        prepare,
        argv,
        "Verify a copy of MNIST, and convert it.",
        source={"metavar": "FILE|DIR", "help": "MNIST's files"},
        out={"metavar": "DIR", "help": "folder to write the IDX files to"},
    )


if __name__ == "__main__":
    sys.exit(main())
