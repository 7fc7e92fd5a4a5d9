"""``parity explain``: list the known differences, or print one in full."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from parity.reference import catalogue
from parity.reference.difference import Difference
from parity.reference.mistakes import MISTAKES, Mistake
from parity.system import destinations

WIDTH = 80
"""Number of columns if the output is not a terminal."""


def run(args: argparse.Namespace) -> int:
    """Print all entries by kind, or one in full; with ``--json`` also write them as data."""
    every: list[Difference | Mistake] = [*catalogue.CATALOGUE.values(), *MISTAKES.values()]
    entries = every if args.id is None else [catalogue.entry(args.id)]
    json_file = destinations.json_path(args.json)
    out = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    if args.id is not None:
        _show_one(out, entries[0])
    else:
        _show_all(out)
    if json_file:
        data = [catalogue.as_data(entry) for entry in entries]
        destinations.write_json(json_file, data)
    return 0


def _show_all(out: Console) -> None:
    width = max(len(one) for one in catalogue.CATALOGUE)
    kinds: dict[str, Iterable[Difference | Mistake]] = {
        **catalogue.by_kind(),
        catalogue.PORTS: MISTAKES.values(),
    }
    for kind, entries in kinds.items():
        out.print(f"[bold]{kind.replace('_', ' ')}")
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=width, no_wrap=True)
        table.add_column()
        for entry in entries:
            table.add_row(escape(entry.id), escape(entry.title))
        out.print(Padding(table, (0, 0, 1, 2), expand=False))
    out.print("parity explain ID: print one entry in full")


def _show_one(out: Console, entry: Difference | Mistake) -> None:
    out.print(f"[bold]{escape(entry.id)}[/]: {escape(entry.title)}")
    for heading, text in entry.sections():
        out.print()
        out.print(f"[bold]{heading}")
        out.print(Padding(Text(text), (0, 0, 0, 2), expand=False))
