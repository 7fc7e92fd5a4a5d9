"""A comparison as tables and sentences, made for 80 columns."""

from __future__ import annotations

import math
import sys

from rich.console import Console
from rich.table import Table

from parity import rungs
from parity.ladder import Check, Comparison
from parity.rungs import RUNGS

WIDTH = 80


def show(comparisons: list[Comparison]) -> None:
    """Print rungs, divergences, notes, figures, verdict, and where the records are."""
    out = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, soft_wrap=False)
    out.print(_rungs(comparisons))
    out.print(
        "observed is also the least tolerance that would pass; float64: largest difference,\n"
        "float32: RMS difference, both relative to the tensor's largest entry.",
        style="dim",
    )
    for comparison in comparisons:
        for line in _sentences(comparison):
            out.print(line, markup=False)
    out.print(_figures(comparisons))
    for comparison in comparisons:
        same = comparison.same
        out.print(
            f"{comparison.reference.header.spec.family}: {'SAME' if same else 'DIFFERENT'}",
            style="bold green" if same else "bold red",
        )
    for comparison in comparisons:
        for record in (comparison.reference, comparison.other):
            out.print(f"record: {record.path}", style="dim", markup=False, soft_wrap=True)


def _rungs(comparisons: list[Comparison]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("model", "rung"):
        table.add_column(heading, no_wrap=True)
    for heading in ("float64", "allowed", "float32", "allowed"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for comparison in comparisons:
        header = comparison.reference.header
        for rung, title in RUNGS.items():
            worst = [comparison.worst(dtype, rung) for dtype in ("float64", "float32")]
            passed = all(check.ok for check in worst if check)
            cells = [cell for check in worst for cell in _cells(check)]
            if rung == "steps":
                title = f"{header.steps} optimizer steps"
            verdict = "[green]OK[/]" if passed else "[bold red]DIFF[/]"
            table.add_row(header.spec.family, title, *cells, verdict)
        table.add_section()
    return table


def _cells(check: Check | None) -> tuple[str, str]:
    return (number(check.observed), number(check.allowed)) if check else ("-", "-")


def number(value: float) -> str:
    """A distance in a few characters: ``0``, ``1.2e-15``, ``inf``."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    return f"{value:.1e}"


def _sentences(comparison: Comparison) -> list[str]:
    """First divergence, null gradients and notes of one model."""
    family = comparison.reference.header.spec.family
    sides = [record.header.backend for record in (comparison.reference, comparison.other)]
    lines = []
    failed = comparison.failed
    if failed:
        first = failed[0]
        lines.append(
            f"{family}: first divergence at {RUNGS[first.rung]}, {first.dtype}: {first.tensor}"
        )
        lines.append(f"  observed {number(first.observed)}, allowed {number(first.allowed)}")
        if first.values:
            index = ", ".join(map(str, first.index))
            (a, b), (x, y) = sides, first.values
            lines.append(f"  worst at [{index}]: {a} {x!r}, {b} {y!r}")
        if first.note:
            lines.append(f"  {first.note}")
        if len(failed) > 1:
            lines.append(f"  {len(failed) - 1} further checks fail; --json FILE lists them")
    if comparison.null_gradients:
        names = ", ".join(entry.parameter for entry in comparison.null_gradients)
        largest = max(max(entry.largest) for entry in comparison.null_gradients)
        lines.append(
            f"{family}: null gradient (at most {number(largest)}, rounding alone; the optimizer is "
            f"given zero on both sides): {names}"
        )
    lines += [f"{family}: {note}" for note in comparison.notes]
    return lines


def _figures(comparisons: list[Comparison]) -> Table:
    """Both sides beside each other: parameters, accuracy, time per step, peak memory."""
    first = comparisons[0]
    sides = [record.header.backend for record in (first.reference, first.other)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", no_wrap=True)
    for heading in ("parameters", "accuracy", "ms/step", "peak MiB"):
        for side in sides:
            table.add_column(f"{heading}\n{side}", justify="right", no_wrap=True)
    for comparison in comparisons:
        cells: list[list[str]] = [[], [], [], []]
        for record in (comparison.reference, comparison.other):
            header = record.header
            dtype = header.dtypes[-1]
            prefix = rungs.join(dtype, "parameters", "")
            total = sum(
                math.prod(record.shape(name)) for name in record.names if name.startswith(prefix)
            )
            step = header.timings.get("step")
            cells[0].append(f"{total:,}")
            cells[1].append(f"{header.results[dtype]['accuracy']:.4f}")
            cells[2].append("-" if step is None else f"{1000 * step:.2f}")
            cells[3].append(f"{header.peak_memory / 2**20:.0f}")
        table.add_row(
            comparison.reference.header.spec.family, *(cell for pair in cells for cell in pair)
        )
    return table
