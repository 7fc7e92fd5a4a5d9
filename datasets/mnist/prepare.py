"""Check a copy of MNIST and, where asked, write it as the four IDX files the loader reads.

    python datasets/mnist/prepare.py --source ~/.keras/datasets/mnist.npz --out DIR

The source is Keras's mnist.npz, or a folder of IDX files, plain or .gz, or torchvision's root.
Without --source, every place that the loader knows is looked in. Nothing is embedded: MNIST's
terms are share-alike. Needs the project to be installed.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

from parity.data import sources
from parity.data.files import encode_idx, require_sha256
from parity.data.prepare import run
from parity.errors import ParityError
from parity.system.atomic import write_whole

NAME = "mnist"


def prepare(source: Path | None, out: Path | None) -> str:
    """Check every array against its IDX file's SHA-256 and write .gz files to the folder `out`.

    Returns:
        A line that says what was checked.

    Raises:
        ParityError: MNIST is not found or damaged, or `out` cannot be written.
    """
    full = sources.find(NAME, source)
    if full is None:
        places = sources.looked_in(NAME, source)
        raise ParityError(f"{NAME} not found: looked in {places}; give --source DIR")
    files = {}
    for key, file_name in sources.IDX_FILES.items():
        idx = encode_idx(full.arrays[key])
        expected = sources.FULL_SETS[NAME].sha256[key]
        require_sha256(idx, expected, f"{full.source} as {file_name}", "take another copy")
        files[f"{file_name}.gz"] = idx
    if out is not None:
        for file_name, idx in files.items():
            write_whole(out / file_name, gzip.compress(idx, mtime=0))
    return f"{full.sha256}  {full.source}"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see :func:`parity.data.prepare.run`."""
    return run(
        prepare,
        argv,
        "Check a copy of MNIST, and convert it.",
        source={"metavar": "FILE|DIR", "help": "where MNIST is"},
        out={"metavar": "DIR", "help": "write the IDX files there"},
    )


if __name__ == "__main__":
    sys.exit(main())
