"""``check``: report whether the two models of a file are the same, where they differ, and why."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from parity.pairs import pair_file
from parity.pairs.arguments import mapping
from parity.pairs.check import check
from parity.progress import Progress
from parity.report import data, terminal
from parity.report.outcome import exit_code
from parity.system import destinations


def run(args: argparse.Namespace) -> int:
    """Print the report; exit code 0 for the same, 1 for different, 3 for inconclusive."""
    json_file = destinations.json_path(args.json)
    out = None if args.out is None else destinations.new_path(args.out)
    layer_map = mapping(args.map)
    path = Path(args.pair)
    with Progress(f"starting {path.name}"):
        arguments = pair_file.load(path, args.seed)
    report = check(
        **arguments,
        steps=args.steps,
        seed=args.seed,
        weights=args.weights,
        layer_map=layer_map,
    )
    provenance = replace(report.provenance, command=args.words)
    report = replace(report, name=path.stem, provenance=provenance)
    terminal.show([report])
    if out:
        report.save(out)
    if json_file:
        data.write(json_file, [report])
    return exit_code([report])
