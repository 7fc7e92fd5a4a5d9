"""``compare``: compare two records, or two folders of records."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from parity.errors import ParityError
from parity.ladder import record
from parity.numerics.tolerance import Allowed
from parity.report import data, of_records, terminal
from parity.report.outcome import exit_code
from parity.system import destinations
from parity.verdict import compare
from parity.verdict.compare import Comparison
from parity.verdict.result import Cause


def run(args: argparse.Namespace) -> int:
    """Print the report; exit code 0 for the same, 1 for different."""
    given = Path(args.replay) if args.replay else None

    def replay(comparison: Comparison) -> Path | None:
        """The replay that the user made, by its model's name if there are several."""
        if given is None or not (names := _records_below(given)):
            return given
        family = comparison.reference.header.spec.family
        return given / family if family in names else None

    return judge(
        Path(args.a),
        Path(args.b),
        destinations.json_path(args.json),
        overrides=args.allow,
        replay=replay if given else None,
        every_check=args.checks,
        command=args.words,
    )


def judge(
    a: Path,
    b: Path,
    json_file: Path | None,
    *,
    overrides: Mapping[str, Allowed],
    replay: Callable[[Comparison], Path | None] | None = None,
    causes: Callable[[Comparison], Sequence[Cause]] = lambda comparison: (),
    every_check: bool = False,
    at_once: bool = False,
    command: tuple[str, ...] = (),
) -> int:
    """Compare two records, or two folders of them, report, and return the exit code.

    Args:
        a: a record.
        b: the other.
        json_file: where to write the report as data, or None.
        overrides: rows of the float64 table to replace, by rung.
        replay: where the replay of a pair is, or None; the verdict is reported without it where
            it fails.
        causes: of a comparison's first divergence, each with its proof.
        every_check: whether to print each check.
        at_once: whether both were made at the same time, which their timings show.
        command: the words of the command line.

    Raises:
        ParityError: a record cannot be read, the two are not of the same runs, or ``json_file``
            is in one of them.
    """
    pairs = _pairs(a, b)
    if json_file:
        destinations.require_outside(json_file, (path for pair in pairs for path in pair))
    reports = []
    for x, y in pairs:
        with ExitStack() as opened:
            one, two = opened.enter_context(record.read_all(x, y))
            comparison = compare.compare(one, two, overrides=overrides)
            try:
                made = replay(comparison) if replay else None
            except ParityError as error:
                note = f"no layer was given the other's input: {error}"
                comparison = dataclasses.replace(comparison, notes=(*comparison.notes, note))
                made = None
            if made:
                own = opened.enter_context(record.read(made))
                comparison = compare.compare(one, two, replay=own, overrides=overrides)
            found = causes(comparison)
            reports.append(of_records.report(comparison, found, command=command, at_once=at_once))
    terminal.show(reports, every_check=every_check)
    if json_file:
        data.write(json_file, reports)
    return exit_code(reports)


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
