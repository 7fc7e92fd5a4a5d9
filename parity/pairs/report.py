"""What a check of two models found."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parity import strict_json
from parity.catalogue import CATALOGUE
from parity.pairs.diagnosis import Cause
from parity.pairs.divergence import Divergence

WIDTH = 80
"""Columns of ``print(report)``."""


@dataclass(frozen=True)
class Compared:
    """One pair of layers, both fed what Keras's was fed.

    Attributes:
        keras: its name, with its class.
        torch: likewise.
        observed: how far the outputs stand apart; None where they cannot be held together.
        allowed: how far they may.
        as_they_ran: how far they stood apart in the models' own course.
    """

    keras: str
    torch: str
    observed: float | None
    allowed: float
    as_they_ran: float


@dataclass(frozen=True)
class Report:
    """The verdict on a pair of models, and what it rests on.

    Attributes:
        verdict: ``same`` or ``different``.
        dtype: that decided: ``float64``; ``float32`` where a model could not be had in float64,
            which is weaker.
        first_divergence: where the two part first; None where they do not.
        causes: by name, each with its proof; ``unknown`` where no known difference explains it.
        latent: settings that differ and that these inputs do not show.
        compared: every pair of layers.
        keras_only: layers without a partner.
        torch_only: modules and functions without one.
        notes: sentences about what was done and could not be.
    """

    verdict: str
    dtype: str
    first_divergence: Divergence | None
    causes: tuple[Cause, ...]
    latent: tuple[Cause, ...]
    compared: tuple[Compared, ...]
    keras_only: tuple[str, ...]
    torch_only: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Everything, for JSON; numbers that are not finite are text."""
        return strict_json.as_text(dataclasses.asdict(self))  # type: ignore[no-any-return]

    def save(self, folder: str | Path) -> None:
        """Write ``report.json`` and ``report.html`` into a folder, which is made."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.as_data(), indent=1, default=str) + "\n"
        (path / "report.json").write_text(text, "utf-8")
        console = Console(record=True, width=WIDTH + 20, file=StringIO())
        self.show(console)
        (path / "report.html").write_text(console.export_html(), "utf-8")

    def __str__(self) -> str:
        """The terminal form, of 80 columns and without colours."""
        console = Console(file=StringIO(), width=WIDTH, force_terminal=False)
        self.show(console)
        return console.file.getvalue().rstrip()  # type: ignore[attr-defined,no-any-return]

    def show(self, console: Console) -> None:
        """Print it."""
        style = "bold green" if self.verdict == "same" else "bold red"
        layers = f"{len(self.compared)} layers compared in {self.dtype}"
        console.print(Text(self.verdict.upper(), style), Text(f"  {layers}"), sep="")
        parted = self.first_divergence
        if parted:
            console.print()
            console.print("First divergence")
            for name, value in (("Keras", parted.keras_layer), ("PyTorch", parted.torch_module)):
                console.print(f"  {name:<9}{value or 'nothing'}", highlight=False)
            console.print(
                f"  {parted.tensor:<9}{parted.observed:.2g} apart, {parted.allowed:.0e} allowed "
                f"({parted.rung})",
                highlight=False,
            )
        self._show_causes(console, "Causes", self.causes)
        self._show_causes(console, "Latent: other settings, not shown by these inputs", self.latent)
        for title, names in (("Keras", self.keras_only), ("PyTorch", self.torch_only)):
            if names:
                console.print(f"\nOnly in {title}: {', '.join(names)}", highlight=False)
        for note in self.notes:
            console.print(f"\n{note}", highlight=False)

    def _show_causes(self, console: Console, title: str, causes: tuple[Cause, ...]) -> None:
        if not causes:
            return
        table = Table("cause", "layer", "Keras", "PyTorch", "before", "after", box=None)
        for one in causes:
            proof = [f"{one.proof.before:.1g}", f"{one.proof.after:.1g}"] if one.proof else ["", ""]
            table.add_row(one.id, one.layer, _short(one.keras), _short(one.torch), *proof)
        console.print(f"\n{title}")
        console.print(table, highlight=False)
        known = [one.id for one in causes if one.id in CATALOGUE]
        if known:
            console.print(f"parity explain {known[0]}", highlight=False)


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 24 else text[:23] + "…"
