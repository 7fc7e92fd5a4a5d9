"""A comparison as tables and sentences, made for 80 columns."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parity.report.sentences import divergence, names_of, number, remarks, versions
from parity.rungs import TITLES, TRAINING, title
from parity.verdict.checks import Check
from parity.verdict.compare import Comparison

WIDTH = 80
"""Columns where the output is no terminal."""

NARROW = 70
"""Below so many columns the tables leave out what stands elsewhere too."""


def show(comparisons: list[Comparison], every_check: bool = False, at_once: bool = False) -> None:
    """Print a row per rung, the figures, what is to be known, the verdicts, where the records are.

    Args:
        comparisons: one per model.
        every_check: whether to print each check as well.
        at_once: whether both sides are known to have been recorded at the same time.
    """
    out = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    if every_check:
        for comparison in comparisons:
            for part in _checks(comparison):
                if isinstance(part, str):
                    _say(out, part)
                else:
                    out.print(part)
            out.print()
    out.print(_rungs(comparisons, out.width < NARROW))
    _say(
        out,
        "float64: largest difference observed, float32: RMS difference observed, both relative to "
        "the tensor's largest entry; the least tolerance that would pass.",
    )
    out.print()
    out.print(_figures(comparisons, out.width < NARROW))
    _say(out, _about_figures(comparisons, at_once))
    _say(out, versions(comparisons))
    out.print()
    for line in remarks(comparisons):
        _say(out, line, style="")
    for comparison in comparisons:
        _verdict(out, comparison)
    out.print()
    for place in _places(comparisons):
        _say(out, place)
    different = [comparison for comparison in comparisons if not comparison.same]
    count = f"{len(comparisons)} {'model' if len(comparisons) == 1 else 'models'}"
    if different:
        of = f", {len(different)} of {count}" if len(comparisons) > 1 else ""
        _say(out, f"DIFFERENT: {names_of(different)}{of}", style="bold red")
    else:
        _say(out, f"SAME: {names_of(comparisons)}", style="bold green")


def _say(out: Console, text: str, style: str = "dim", indent: str = "  ") -> None:
    """A sentence, wrapped between words to the console's width."""
    for line in textwrap.wrap(
        text,
        out.width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ):
        out.print(line, style=style, markup=False, soft_wrap=True)


def _verdict(out: Console, comparison: Comparison) -> None:
    same = comparison.same
    family = comparison.reference.header.spec.family
    weaker = (
        ""
        if comparison.decisive
        else " (weaker: the records hold no float64, so float32 decided alone)"
    )
    _say(
        out,
        f"{family}: {'SAME' if same else 'DIFFERENT'}{weaker}",
        style="green" if same else "bold red",
    )
    for line in divergence(comparison):
        _say(out, f"  {line}", style="", indent="    ")


def _rungs(comparisons: list[Comparison], narrow: bool) -> Table:
    """A row per model and rung; narrow: the model's name in a row of its own."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    if not narrow:
        table.add_column("model", no_wrap=True)
    table.add_column("rung", no_wrap=True)
    for heading in ("float64", "allowed", "float32", "allowed"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for comparison in comparisons:
        header = comparison.reference.header
        if narrow:
            table.add_row(f"[bold]{header.spec.family}[/]")
        for rung in TITLES:
            worst = [comparison.worst(dtype, rung) for dtype in ("float64", "float32")]
            if rung == TRAINING and not any(worst):
                continue
            passed = all(check.ok for check in worst if check)
            table.add_row(
                *([] if narrow else [header.spec.family]),
                title(rung, header.steps),
                *(cell for check in worst for cell in _cells(check)),
                "[green]OK[/]" if passed else "[bold red]DIFF[/]",
            )
    return table


def _checks(comparison: Comparison) -> Iterator[Table | str]:
    """A row per check, and below them why so much is allowed, by number."""
    header = comparison.reference.header
    reasons = list(dict.fromkeys(check.reason for check in comparison.checks if check.reason))
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column(f"{header.spec.family}: check", overflow="fold")
    for heading in ("observed", "allowed", "least", "why"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for check in comparison.checks:
        table.add_row(
            escape(f"{check.dtype}/{check.rung}/{check.tensor}"),
            number(check.observed),
            number(check.allowed),
            number(check.least),
            str(1 + reasons.index(check.reason)) if check.reason else "",
            "[green]OK[/]" if check.ok else "[bold red]DIFF[/]",
        )
    yield table
    yield from (f"why {place}: {reason}" for place, reason in enumerate(reasons, 1))


def _cells(check: Check | None) -> tuple[str, str]:
    return (number(check.observed), number(check.allowed)) if check else ("-", "-")


def _figures(comparisons: list[Comparison], narrow: bool) -> Table:
    """Both sides, one below the other: parameters, accuracy, time per step, peak memory."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("model", "side"):
        table.add_column(heading, no_wrap=True)
    counts = ["parameters"] if narrow else ["parameters", "trainable"]
    for heading in (*counts, "accuracy", "ms/step", "peak MiB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for comparison in comparisons:
        family = comparison.reference.header.spec.family
        pair = zip(comparison.sides, (comparison.reference, comparison.other), strict=True)
        for side, record in pair:
            header = record.header
            accuracy = header.results.get(header.dtypes[-1], {}).get("accuracy")
            step = header.timings.get("step")
            total, trainable = (header.counts.get(kind, 0) for kind in ("total", "trainable"))
            table.add_row(
                family,
                side,
                f"{total:,}",
                *([] if narrow else [f"{trainable:,}"]),
                "-" if accuracy is None else f"{accuracy:.4f}",
                "-" if step is None else f"{1000 * step:.2f}",
                f"{header.peak_memory / 2**20:.0f}",
            )
            family = ""
    return table


def _about_figures(comparisons: list[Comparison], at_once: bool) -> str:
    header = comparisons[0].reference.header
    text = (
        f"accuracy: of the weights after {header.steps} "
        f"{'step' if header.steps == 1 else 'steps'} from probe weights, not of a trained model, "
        f"{header.dtypes[-1]} on the test set; "
    )
    if "step" in header.timings:
        text += "ms/step: float32, median"
        text += ", both sides running at the same time; " if at_once else "; "
    return text + "peak MiB: resident memory of the whole process."


def _places(comparisons: list[Comparison]) -> list[str]:
    """Paths of the records, those of one side in one line."""
    lines = []
    for side in range(2):
        paths = [(comparison.reference, comparison.other)[side].path for comparison in comparisons]
        parents: dict[Path, list[str]] = {}
        for path in paths:
            parents.setdefault(path.parent, []).append(path.name)
        for parent, names in parents.items():
            last = names[0] if len(names) == 1 else f"{{{','.join(names)}}}"
            lines.append(f"record: {parent / last}")
    return lines
