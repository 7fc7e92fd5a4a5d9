"""A report on one pair of models, which can be printed and saved."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from parity.report import data, terminal
from parity.report.outcome import Outcome
from parity.system import destinations, strict_json


@dataclass(frozen=True, kw_only=True)
class Report(Outcome):
    """The verdict on one pair of models, what it is based on, and the ways to write it."""

    def as_data(self) -> dict[str, Any]:
        """Everything as JSON data, see ``docs/report.schema.json``."""
        return data.as_data(self)

    def show(self, console: Console) -> None:
        """Print it."""
        terminal.show([self], console)

    def __str__(self) -> str:
        """The terminal form, of 80 columns and without colours."""
        text = StringIO()
        self.show(Console(file=text, width=terminal.WIDTH, force_terminal=False, highlight=False))
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).rstrip()

    def save(self, folder: str | Path) -> None:
        """Write ``report.json`` and ``report.html`` into a folder, creating it if necessary.

        Raises:
            ParityError: they cannot be written.
        """
        console = Console(record=True, width=terminal.WIDTH + 20, file=StringIO(), highlight=False)
        self.show(console)
        files = {
            "report.json": strict_json.dumps(self.as_data()),
            "report.html": console.export_html(),
        }
        destinations.write_folder(Path(folder), files)
