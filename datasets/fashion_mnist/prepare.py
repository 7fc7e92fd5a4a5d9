"""Create fashion_mnist.npz, a balanced subset, from the full Fashion-MNIST.

    python datasets/fashion_mnist/prepare.py --source DIR

DIR contains the four IDX files, plain or .gz (Debian: /usr/share/datasets/fashion-mnist). Without
--source, every place of parity.data.sources is searched. Needs the project to be installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from parity.data import sources
from parity.data.files import encode_npz, sha256
from parity.data.prepare import run
from parity.errors import ParityError
from parity.system.atomic import write_atomically

NAME = "fashion_mnist"
CLASSES = 10
PER_CLASS = {"train": 200, "test": 50}


def first_of_each_class(y: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the first `count` examples of each class, in the order of the file."""
    return np.sort(np.concatenate([np.flatnonzero(y == c)[:count] for c in range(CLASSES)]))


def subset(raw: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return x_* uint8 (N, 28, 28) and y_* int64 (N,) of both splits."""
    arrays = {}
    for split, count in PER_CLASS.items():
        chosen = first_of_each_class(raw[f"y_{split}"], count)
        arrays[f"x_{split}"] = raw[f"x_{split}"][chosen]
        arrays[f"y_{split}"] = raw[f"y_{split}"][chosen].astype(np.int64)
    return arrays


def prepare(source: Path | None, out: Path) -> str:
    """Write the subset to `out`; return a line with its SHA-256.

    Raises:
        ParityError: the full set is not found or damaged, or `out` cannot be written.
    """
    full = sources.find(NAME, source)
    if full is None:
        places = sources.describe_places(NAME, source)
        raise ParityError(f"{NAME} (full set) not found in {places}; give --source DIR")
    content = encode_npz(subset(full.arrays))
    write_atomically(out, content)
    return f"{sha256(content)}  {out}"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see :func:`parity.data.prepare.run`."""
    return run(
        prepare,
        argv,
        "Create fashion_mnist.npz from the full set.",
        source={"metavar": "DIR", "help": "folder of the four IDX files"},
        out={"metavar": "FILE", "default": Path(__file__).with_name(f"{NAME}.npz")},
    )


if __name__ == "__main__":
    sys.exit(main())
