"""No false alarm: a matrix of clean pairs, none of which may be called DIFFERENT.

Runs every row of ``benchmarks.soak.rows`` in both dtypes, each thread count and each Keras in
processes of its own, and prints how many pairs were called what and how near they came to it.
The exit code is 1 if a pair was called DIFFERENT or did not run.

    python -m benchmarks.soak --jobs 2 --out soak.json
    python -m benchmarks.soak --only cnn-oblong-adam-keras3
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.soak.figures import as_data, fault_totals, show
from benchmarks.soak.processes import CHILD, Soak
from benchmarks.soak.rows import product, rows, sample, slices
from parity.system import strict_json


def main(argv: Sequence[str] | None = None, child: Sequence[str] = CHILD) -> int:
    """Run the matrix, print and write the figures; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--product", action="store_true", help="everything with everything")
    which.add_argument("--sample", action="store_true", help="a twentieth of the rows")
    parser.add_argument("--only", default="", help="only rows whose name holds this text")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument(
        "--faults", type=Path, nargs="*", default=[], help="add what pytest --faults-out wrote"
    )
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    args = parser.parse_args(argv)
    if args.jobs < 1:
        parser.error(f"--jobs: received {args.jobs}, accepted: 1 or more")
    if args.out and not args.out.absolute().parent.is_dir():
        parser.error(f"--out: there is no folder {args.out.absolute().parent}")
    whole = product() if args.product else sample() if args.sample else rows()
    asked = [row for row in whole if args.only in row.name]
    if not asked:
        parser.error(f"--only: received {args.only!r}, which no row's name holds")

    began = time.monotonic()
    soak, interrupted = Soak(asked), False
    try:
        soak.run(slices(asked), args.jobs, child)
    except KeyboardInterrupt:
        soak.end()  # once more: a second interrupt may have come amid the first one's work
        interrupted = True
    wall = time.monotonic() - began
    faults = fault_totals(args.faults)
    show(soak, wall, faults)
    if args.out:
        args.out.write_text(
            strict_json.dumps(strict_json.encode_non_finite(as_data(soak, wall, faults))), "utf-8"
        )
    return 130 if interrupted else int(not soak.passed)


if __name__ == "__main__":
    sys.exit(main())
