"""What a check of two models found."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from parity.reference import catalogue
from parity.reference.mistakes import mistake
from parity.rungs import title
from parity.system import destinations, strict_json
from parity.verdict.result import (
    NOT_RUN,
    UNKNOWN,
    Cause,
    Divergence,
    Float32Deviation,
    LayerComparison,
    Rung,
)

WIDTH = 80
"""Columns of ``print(report)``."""


@dataclass(frozen=True)
class Report:
    """The verdict on a pair of models, and what it rests on.

    Attributes:
        verdict: ``same``, ``different``, or ``inconclusive``: nothing differs, but a rung that was
            asked for could not be run.
        dtype: that decided: ``float64``; ``float32`` where a model could not be had in float64,
            which is weaker.
        first_divergence: where the two part first; None where they do not.
        causes: by name, each with its proof; ``unknown`` where no known difference explains it.
        latent: settings that differ and that these inputs do not show.
        compared: every pair of layers.
        keras_only: layers without a partner.
        torch_only: modules and functions without one.
        notes: sentences about what was done and could not be.
        rungs: the result of each rung that was asked for, in the ladder's order.
        steps: of the optimizer, at most.
        float32: the drift in float32 of outputs, then of gradients where there is a loss; of each
            where float64 decided and has the same.
    """

    verdict: str
    dtype: str
    first_divergence: Divergence | None
    causes: tuple[Cause, ...]
    latent: tuple[Cause, ...]
    compared: tuple[LayerComparison, ...]
    keras_only: tuple[str, ...]
    torch_only: tuple[str, ...]
    notes: tuple[str, ...] = ()
    rungs: tuple[Rung, ...] = ()
    steps: int = 0
    float32: tuple[Float32Deviation, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Everything, for JSON; numbers that are not finite are text."""
        text = json.dumps(strict_json.encode_non_finite(dataclasses.asdict(self)), default=str)
        return json.loads(text)  # type: ignore[no-any-return]

    def save(self, folder: str | Path) -> None:
        """Write ``report.json`` and ``report.html`` into a folder, which is made.

        Raises:
            ParityError: they cannot be written.
        """
        console = Console(record=True, width=WIDTH + 20, file=StringIO())
        self.show(console)
        files = {
            "report.json": strict_json.dumps(self.as_data()),
            "report.html": console.export_html(),
        }
        destinations.write_folder(Path(folder), files)

    def __str__(self) -> str:
        """The terminal form, of 80 columns and without colours."""
        console = Console(file=StringIO(), width=WIDTH, force_terminal=False)
        self.show(console)
        lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
        return "\n".join(line.rstrip() for line in lines).rstrip()

    def show(self, console: Console) -> None:
        """Print it."""
        style = {"same": "bold green", "inconclusive": "bold yellow"}.get(self.verdict, "bold red")
        layers = f"  {_pairs(len(self.compared))} in {self.dtype}"
        if self.verdict != "different":
            within = [one.observed for one in self.compared if one.observed <= one.allowed]
            beside = len(self.compared) - len(within)
            of_them = f"{len(within)} of them " if beside else ""
            layers += f", {of_them}at most {max(within, default=0.0):.1g} apart"
            layers += f", {beside} see below" if beside else ""
        console.print(Text.assemble((self.verdict.upper(), style), layers))
        if len(self.rungs) > 1:
            run = [title(one.name, self.steps) for one in self.rungs if one.status != NOT_RUN]
            _line(console, f"  compared: {', '.join(run)}")
        for rung in self.rungs:
            if rung.status == NOT_RUN:
                _line(console, f"  {title(rung.name, self.steps)}: not run, because {rung.reason}")
        for one in self.float32:
            _line(console, f"  in float32 {_drift(one)}")
        parted = self.first_divergence
        if parted:
            console.print("\nFirst divergence", style="bold")
            for name, value in (("Keras", parted.keras_layer), ("PyTorch", parted.torch_module)):
                _line(console, f"  {name:<9}{value or 'nothing'}")
            apart = f"{parted.observed:.2g} apart, {parted.allowed:.0e} allowed ({parted.rung})"
            _line(console, f"  {parted.tensor:<8} {apart}")
        if self.causes:
            heading = "Causes: the difference with PyTorch's value, and with Keras's"
            console.print(f"\n{heading}", style="bold")
            for alike in _alike(self.causes):
                _cause(console, alike)
            _explain(console, self.causes)
        if self.latent:
            console.print("\nOther settings, which these inputs do not show", style="bold")
            for alike in _alike(self.latent):
                _cause(console, alike)
        unknown = [one.keras for one in self.compared if not one.known]
        if unknown:
            told = f"Of no known kind, compared by inputs and outputs: {', '.join(unknown)}"
            _line(console, f"\n{told}")
        for side, names in (("Keras", self.keras_only), ("PyTorch", self.torch_only)):
            if names:
                _line(console, f"\nOnly in {side}: {', '.join(names)}")
        for note in self.notes:
            _line(console, f"\n{note}")


def _pairs(count: int) -> str:
    return "1 pair of layers" if count == 1 else f"{count} pairs of layers"


def _drift(one: Float32Deviation) -> str:
    what = "outputs" if one.rung == "forward_eval" else one.rung
    beyond = "" if one.observed <= one.allowed else ": farther than that"
    return f"{what} {one.observed:.1g} apart, {one.allowed:.1g} allowed{beyond}"


def _line(console: Console, text: str) -> None:
    """As it is: names of layers are no markup."""
    console.print(Text(text), soft_wrap=False)


def _alike(causes: tuple[Cause, ...]) -> list[list[Cause]]:
    """The same setting with the same values in several layers is told once."""
    found: dict[tuple[str, ...], list[Cause]] = {}
    for number, one in enumerate(causes):
        own = str(number) if one.id == UNKNOWN else ""
        found.setdefault((one.id, str(one.keras), str(one.torch), own), []).append(one)
    return list(found.values())


def _cause(console: Console, alike: list[Cause]) -> None:
    """A cause in two or three lines, with the layer where it does most, and how many more."""
    one = max(alike, key=lambda cause: cause.proof.before if cause.proof else 0.0)
    proof = f"{one.proof.before:.1g} → {one.proof.after:.1g}" if one.proof else f"({one.rung})"
    layer = one.layer if len(alike) == 1 else f"{one.layer}, {len(alike) - 1} more"
    _line(console, f"  {one.id:<28} {layer:<30} {proof}")
    for name, value in (("Keras", one.keras), ("PyTorch", one.torch)):
        if value != "":
            _line(console, f"    {name:<9}{_short(value)}")


def _explain(console: Console, causes: tuple[Cause, ...]) -> None:
    """The command that says more."""
    for name in dict.fromkeys(
        one.id for one in causes if catalogue.difference(one.id) or mistake(one.id)
    ):
        _line(console, f"  parity explain {name}")


def _short(value: Any) -> str:
    """A value within a line."""
    if isinstance(value, tuple) and all(isinstance(one, float) for one in value):
        text = ", ".join(f"{one:.4g}" for one in value)
    else:
        text = f"{value:.7g}" if isinstance(value, float) else str(value)
    return text if len(text) <= WIDTH - 14 else text[: WIDTH - 15] + "…"
