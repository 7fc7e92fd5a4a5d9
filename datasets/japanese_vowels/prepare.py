"""Create japanese_vowels.npz from the .ts files of the aeon package.

    pip download --no-deps aeon==1.6.0
    python datasets/japanese_vowels/prepare.py --source aeon-1.6.0-py3-none-any.whl

The source may also be a folder that contains JapaneseVowels_TRAIN.ts and JapaneseVowels_TEST.ts.
Needs the project to be installed.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import numpy as np

from parity.data.files import encode_npz, read_member, require_sha256, sha256
from parity.data.prepare import run
from parity.errors import ParityError
from parity.system.atomic import write_atomically

NAME = "japanese_vowels"
FOLDER = "aeon/datasets/data/JapaneseVowels"
SHA256 = {
    "train": "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
    "test": "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
}
STEPS = 29  # the longest sequence of both splits; shorter ones are zero-padded
CHANNELS = 12


def parse_ts(text: str, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parse a .ts file: after `@data`, a line per sequence, `channel:...:channel:label`.

    Returns:
        x float32 (N, 29, 12), zero-padded; lengths int64 (N,); y int64 (N,), from 0.

    Raises:
        ParityError: a line has another number of channels, channels of unequal or excessive
            length, or a value that float32 does not represent to its last printed digit.
    """
    lines = text.partition("@data")[2].split()
    x = np.zeros((len(lines), STEPS, CHANNELS), np.float32)
    lengths = np.zeros(len(lines), np.int64)
    y = np.zeros(len(lines), np.int64)
    for row, line in enumerate(lines):
        *channels, label = line.split(":")
        printed = [channel.split(",") for channel in channels]
        steps = {len(values) for values in printed}
        if len(printed) != CHANNELS or len(steps) != 1 or max(steps) > STEPS:
            raise ParityError(
                f"{name}: sequence {row} has {len(printed)} channels of {sorted(steps)} steps; "
                f"accepted: {CHANNELS} of one length up to {STEPS}"
            )
        lengths[row] = steps.pop()
        y[row] = int(label) - 1
        x[row, : lengths[row]] = np.array(printed, np.float64).T
        _require_faithful(printed, x[row], f"{name}: sequence {row}")
    return x, lengths, y


def _require_faithful(printed: list[list[str]], stored: np.ndarray, name: str) -> None:
    """Check that each value's float32, printed to the same number of decimals, is the value."""
    for channel, values in enumerate(printed):
        for step, text in enumerate(values):
            last_digit = Decimal(1).scaleb(Decimal(text).as_tuple().exponent)
            if Decimal(float(stored[step, channel])).quantize(last_digit) != Decimal(text):
                raise ParityError(f"{name}: float32 does not represent {text} to its last digit")


def prepare(source: Path, out: Path) -> str:
    """Write both splits to `out`; return a line with its SHA-256.

    Raises:
        ParityError: the source is missing or not the expected one, or `out` cannot be written.
    """
    arrays = {}
    for split, expected in SHA256.items():
        raw, path = read_member(source, f"{FOLDER}/JapaneseVowels_{split.upper()}.ts")
        require_sha256(raw, expected, path, "take the files from aeon 1.6.0")
        x, lengths, y = parse_ts(raw.decode(), path)
        arrays |= {f"x_{split}": x, f"lengths_{split}": lengths, f"y_{split}": y}
    content = encode_npz(arrays)
    write_atomically(out, content)
    return f"{sha256(content)}  {out}"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see :func:`parity.data.prepare.run`."""
    return run(
        prepare,
        argv,
        "Create japanese_vowels.npz from aeon's files.",
        source={"required": True, "metavar": "WHEEL|DIR", "help": "wheel, or folder of the files"},
        out={"metavar": "FILE", "default": Path(__file__).with_name(f"{NAME}.npz")},
    )


if __name__ == "__main__":
    sys.exit(main())
