"""Create digits.npz from the digits.csv.gz of the scikit-learn package.

    pip download --no-deps scikit-learn
    python datasets/digits/prepare.py --source scikit_learn-*.whl

The source may also be a folder that contains digits.csv.gz. Needs the project to be installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from parity.data.files import encode_npz, gunzip, read_member, sha256
from parity.data.prepare import run
from parity.system.atomic import write_atomically

NAME = "digits"
MEMBER = "sklearn/datasets/data/digits.csv.gz"
SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
CLASSES = 10


def is_train(y: np.ndarray) -> np.ndarray:
    """Mark the first four fifths of each class, rounded down, in the order of the file."""
    train = np.zeros(len(y), bool)
    for label in range(CLASSES):
        members = np.flatnonzero(y == label)
        train[members[: len(members) * 4 // 5]] = True
    return train


def parse_csv(text: str) -> dict[str, np.ndarray]:
    """Parse lines of 64 pixels and a label.

    Returns:
        x_* uint8 (N, 8, 8) with values 0 to 16, y_* int64 (N,), of both splits.
    """
    table = np.array([line.split(",") for line in text.split()], np.int64)
    x, y = table[:, :-1].reshape(-1, 8, 8).astype(np.uint8), table[:, -1]
    train = is_train(y)
    return {"x_train": x[train], "y_train": y[train], "x_test": x[~train], "y_test": y[~train]}


def prepare(source: Path, out: Path) -> str:
    """Write both splits to `out`; return a line with its SHA-256.

    Raises:
        ParityError: the source is missing or not the expected one, or `out` cannot be written.
    """
    packed, path = read_member(source, MEMBER)
    remedy = "take the file from scikit-learn 1.9.1"
    raw = gunzip(packed, SHA256, path, remedy)
    content = encode_npz(parse_csv(raw.decode()))
    write_atomically(out, content)
    return f"{sha256(content)}  {out}"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see :func:`parity.data.prepare.run`."""
    return run(
        prepare,
        argv,
        "Create digits.npz from scikit-learn's file.",
        source={"required": True, "metavar": "WHEEL|DIR", "help": "wheel, or folder of the file"},
        out={"metavar": "FILE", "default": Path(__file__).with_name(f"{NAME}.npz")},
    )


if __name__ == "__main__":
    sys.exit(main())
