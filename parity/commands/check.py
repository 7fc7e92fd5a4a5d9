"""``check``: say whether the two models of a file are the same, where not, and why."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from parity import outputs
from parity.pairs import pair_file
from parity.pairs.check import check
from parity.pairs.report import WIDTH
from parity.progress import Progress


def run(args: argparse.Namespace) -> int:
    """Print the report; exit code 0 for the same, 1 for different."""
    json_file = outputs.json_path(args.json)
    out = outputs.new_path(args.out) if args.out else None
    path = Path(args.pair)
    with Progress(f"starting {path.name}"):
        arguments = pair_file.load(path)
    report = check(
        **arguments,
        steps=args.steps,
        seed=args.seed,
        weights=args.weights,
        layer_map=dict(args.map),
    )
    if out:
        report.save(out)
    if json_file:
        text = json.dumps(report.as_data(), indent=1, allow_nan=False, default=str)
        json_file.write_text(text + "\n", "utf-8")
    report.show(Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False))
    return 0 if report.verdict == "same" else 1
