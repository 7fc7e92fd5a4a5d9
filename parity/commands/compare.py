"""``compare``: hold two records, or two folders of records, against each other."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from parity import ladder, record
from parity.errors import ParityError
from parity.report import data, terminal


def run(args: argparse.Namespace) -> int:
    """Print tables and verdict; exit code 0 for SAME, 1 for DIFFERENT."""
    return judge(Path(args.a), Path(args.b), args.json)


def judge(a: Path, b: Path, json_file: str | None) -> int:
    """Compare, report, and give the exit code."""
    with ExitStack() as opened:
        comparisons = [
            ladder.compare(
                opened.enter_context(record.read(x)), opened.enter_context(record.read(y))
            )
            for x, y in _pairs(a, b)
        ]
        if json_file:
            data.write(Path(json_file), comparisons)
        terminal.show(comparisons)
    return 0 if all(comparison.same for comparison in comparisons) else 1


def _pairs(a: Path, b: Path) -> list[tuple[Path, Path]]:
    """The records to compare: the two given, or those of equal name below them."""
    found = [_records(a), _records(b)]
    if None in found:
        return [(a, b)]
    names = [set(paths or {}) for paths in found]
    if alone := names[0] ^ names[1]:
        raise ParityError(
            f"{a} and {b} hold different models: {', '.join(sorted(alone))} stands in one only"
        )
    return [(a / name, b / name) for name in found[0] or {}]


def _records(path: Path) -> dict[str, Path] | None:
    """Records below a folder, oldest first; None if it is no folder of records."""
    if not path.exists():
        raise ParityError(f"{path} does not exist; accepted: a folder written by record")
    if (path / record.HEADER).exists() or not path.is_dir():
        return None
    below = [entry for entry in path.iterdir() if (entry / record.HEADER).is_file()]
    if not below:
        raise ParityError(
            f"{path}: not a record: neither {record.HEADER} in it nor records below it"
        )
    below.sort(key=lambda entry: (entry / record.HEADER).stat().st_mtime_ns)
    return {entry.name: entry for entry in below}
