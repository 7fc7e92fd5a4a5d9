"""``compare``: hold two records, or two folders of records, against each other."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from parity import ladder, outputs, record
from parity.errors import ParityError
from parity.report import data, terminal


def run(args: argparse.Namespace) -> int:
    """Print tables and verdict; exit code 0 for SAME, 1 for DIFFERENT."""
    return judge(Path(args.a), Path(args.b), outputs.json_path(args.json))


def judge(a: Path, b: Path, json_file: Path | None, at_once: bool = False) -> int:
    """Compare two records, or two folders of them, report, and give the exit code.

    ``at_once`` says that both were made at the same time, which their timings show.

    Raises:
        ParityError: a record cannot be read, the two are not of the same runs, or ``json_file``
            lies in one of them.
    """
    pairs = _pairs(a, b)
    if json_file:
        outputs.refuse_inside(json_file, (path for pair in pairs for path in pair))
    with ExitStack() as opened:
        comparisons = [
            ladder.compare(
                opened.enter_context(record.read(x)), opened.enter_context(record.read(y))
            )
            for x, y in pairs
        ]
        if json_file:
            data.write(json_file, comparisons)
        terminal.show(comparisons, at_once)
    return 0 if all(comparison.same for comparison in comparisons) else 1


def _pairs(a: Path, b: Path) -> list[tuple[Path, Path]]:
    """The records to compare: the two given, or those of equal name below them."""
    for path in (a, b):
        if not path.exists():
            raise ParityError(f"{path} does not exist; accepted: a folder written by record")
    names, others = _records_below(a), _records_below(b)
    if not (names or others):
        return [(a, b)]
    if alone := set(names) ^ set(others):
        raise ParityError(
            f"{a} and {b} hold different models: {', '.join(sorted(alone))} stands in one only"
        )
    return [(a / name, b / name) for name in names]


def _records_below(path: Path) -> list[str]:
    """Names of the records in a folder, oldest first; none if it is a record itself, or no folder.

    Hidden folders are left out: a record is written under such a name until it is whole.
    """
    if (path / record.HEADER).exists() or not path.is_dir():
        return []
    headers = [file for file in path.glob(f"*/{record.HEADER}") if file.parent.name[0] != "."]
    headers.sort(key=lambda file: file.stat().st_mtime_ns)
    return [file.parent.name for file in headers]
