"""``check``: say whether the two models of a file are the same, where not, and why."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from parity.pairs import pair_file
from parity.pairs.arguments import mapping
from parity.pairs.check import check
from parity.pairs.report import WIDTH
from parity.progress import Progress
from parity.system import destinations


def run(args: argparse.Namespace) -> int:
    """Print the report; exit code 0 for the same, 1 for different, 3 for inconclusive."""
    json_file = destinations.json_path(args.json)
    out = None if args.out is None else destinations.new_path(args.out)
    layer_map = mapping(args.map)
    path = Path(args.pair)
    with Progress(f"starting {path.name}"):
        arguments = pair_file.load(path)
    report = check(
        **arguments,
        steps=args.steps,
        seed=args.seed,
        weights=args.weights,
        layer_map=layer_map,
    )
    report.show(Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False))
    if out:
        report.save(out)
    if json_file:
        destinations.write_json(json_file, report.as_data())
    return {"same": 0, "different": 1}.get(report.verdict, 3)
