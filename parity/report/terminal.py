"""Reports as text: first the verdict, then where to look, the ladder, and everything else."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parity.report.outcome import Outcome, overall
from parity.report.wording import counted, fix, number, some, tensor
from parity.rungs import title
from parity.verdict.result import (
    DIFFERENT,
    FAILED,
    INCONCLUSIVE,
    NOT_RUN,
    PASSED,
    SAME,
    UNKNOWN,
    Cause,
    Check,
)

WIDTH = 80
"""Columns where the output is no terminal."""

NARROW = 70
"""Below this many columns the tables leave out what is shown elsewhere as well."""

STYLES = {SAME: "bold green", DIFFERENT: "bold red", INCONCLUSIVE: "bold yellow"}
STATUS_STYLES = {PASSED: "green", FAILED: "bold red", NOT_RUN: "bold yellow"}


def show(
    reports: Sequence[Outcome], console: Console | None = None, every_check: bool = False
) -> None:
    """Print the reports on one pair or several.

    Args:
        reports: one per pair.
        console: to print to; by default stdout, of 80 columns where that is no terminal.
        every_check: whether to print every compared tensor of two records as well.
    """
    out = console or Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    _verdicts(out, reports)
    for one in reports:
        of = f"{one.name}: " if len(reports) > 1 else ""
        _first_divergence(out, one, of)
        _causes(out, one, f"{of}Causes: the difference with PyTorch's value → Keras's", one.causes)
    out.print()
    _ladder(out, reports)
    for one in reports:
        of = f"{one.name}: " if len(reports) > 1 else ""
        _causes(out, one, f"{of}Other settings, which these inputs do not show", one.latent)
        _layers(out, one)
    _notes(out, reports)
    _figures(out, reports)
    for one in reports:
        if one.plain is not None:
            _say(out, _plain(one.plain))
        if one.records is None:
            _say(out, _conditions(one), "dim")
    for one in reports if every_check else ():
        _checks(out, one)
    for place in _places(reports):
        _say(out, place, "dim")


def _plain(plain: Mapping[str, Any]) -> str:
    """How much both models differ in float32 with their own code alone."""
    names = {
        "outputs": "outputs",
        "loss": "loss",
        "weights": f"weights after {counted(plain['steps'], 'step')}",
    }
    found = [
        f"{text} {number(plain[name]['observed'])}" for name, text in names.items() if name in plain
    ]
    reason = f"; training was not run plainly: {plain['reason']}" if plain["reason"] else ""
    return f"Plain float32, each model with its own code: {', '.join(found)}{reason}."


TRANSFERS = {
    "keras": "weights copied from Keras to PyTorch",
    "torch": "weights copied from PyTorch to Keras",
    "as-is": "no weights copied",
}


def _conditions(report: Outcome) -> str:
    """The seed, the weights and the versions of a check."""
    made = report.provenance
    versions = [f"{name} {version}" for name, version in made.versions.items()]
    return ", ".join([f"seed {made.seed}", TRANSFERS[made.weights], *versions])


def _say(out: Console, text: str, style: str = "", indent: str = "  ") -> None:
    """A sentence, wrapped between words to the console's width."""
    for line in textwrap.wrap(
        text,
        out.width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ):
        out.print(line, style=style, markup=False, soft_wrap=True)


def _heading(out: Console, text: str) -> None:
    out.print(f"\n{text}", style="bold", markup=False)


def _verdicts(out: Console, reports: Sequence[Outcome]) -> None:
    """The verdict on all pairs, then, of several, on each."""
    if len(reports) > 1:
        verdict = overall(reports)
        names = [one.name for one in reports if one.verdict == verdict]
        of = "" if verdict == SAME else f" ({len(names)} of {len(reports)} models)"
        _say(out, f"{verdict.upper()}: {', '.join(names)}{of}", STYLES[verdict])
    for one in reports:
        _say(out, _summary(one), STYLES[one.verdict])


def _summary(report: Outcome) -> str:
    """The verdict on one pair in one sentence."""
    weaker = " (weaker verdict: only float32 was compared)" if report.dtype == "float32" else ""
    verdict = report.verdict.upper()
    head = f"{verdict}: {report.name}{weaker}. " if report.name else f"{verdict}{weaker}: "
    return head + {SAME: _agreement, DIFFERENT: _disagreement, INCONCLUSIVE: _gap}[report.verdict](
        report
    )


def _agreement(report: Outcome) -> str:
    """How well the two agree."""
    sizes = [one.observed for one in report.compared if one.observed is not None]
    if report.records or not sizes:
        return f"All {counted(len(report.rungs), 'rung')} of the ladder agree."
    within = [
        one.observed
        for one in report.compared
        if one.observed is not None and one.observed <= one.allowed
    ]
    of = f"{len(within)} of " if len(within) < len(sizes) else ""
    differ = "differs" if (len(within) if of else len(sizes)) == 1 else "differ"
    return (
        f"{of}{counted(len(sizes), 'pair')} of layers {differ} by at most "
        f"{number(max(within, default=0.0))} in {report.dtype}."
    )


def _disagreement(report: Outcome) -> str:
    """Where the two differ first, and why."""
    first = report.first_divergence
    if first is None:
        return "No tensor differs, but a rung failed."
    causes = list(dict.fromkeys(one.id for one in report.causes))
    why = f"; {'cause' if len(causes) == 1 else 'causes'}: {some(causes)}" if causes else ""
    return f"First divergence: {title(first.rung, report.steps)}, {tensor(first)}{why}."


def _gap(report: Outcome) -> str:
    """What was not compared, or contradicts what was."""
    if report.doubt:
        return report.doubt
    first = next(iter(report.rungs), None)
    if first is not None and first.status == NOT_RUN and first.name == "forward_eval":
        return f"{first.reason}."
    missing = [title(one.name, report.steps) for one in report.rungs if one.status == NOT_RUN]
    return f"What was compared agrees, but not all was: {', '.join(missing)}."


def _first_divergence(out: Console, report: Outcome, of: str) -> None:
    first = report.first_divergence
    if first is None:
        return
    _heading(out, f"{of}First divergence")
    place = f"{title(first.rung, report.steps)}, {first.dtype}"
    _say(out, f"  {place}: {tensor(first)} differs by {_size(first)}", indent="    ")
    if first.keras_layer or first.torch_module:
        names = first.keras_layer, first.torch_module
        for side, name in zip(report.sides, names, strict=True):
            _say(out, f"  {side:<9}{name or 'nothing'}", indent="    ")
    for line in report.about_first_divergence or first.notes:
        _say(out, f"  {line}", indent="    ")


def _size(one: Check) -> str:
    why = f" ({one.reason})" if one.reason else ""
    return f"{number(one.observed)}, allowed {number(one.allowed)}{why}"


def _causes(out: Console, report: Outcome, heading: str, causes: Sequence[Cause]) -> None:
    """Each cause or setting once, with its fix."""
    if not causes:
        return
    _heading(out, heading)
    for alike in _alike(causes):
        one = max(alike, key=lambda cause: cause.proof.before if cause.proof else 0.0)
        layer = one.layer if len(alike) == 1 else f"{one.layer}, {len(alike) - 1} more"
        proof = f"({title(one.rung, report.steps)})"
        if one.proof:
            proof = f"{number(one.proof.before)} → {number(one.proof.after)}"
        _say(out, f"  {one.id:<28} {layer:<24} {proof}", indent="    ")
        for name, value in zip(report.sides, (one.keras, one.torch), strict=True):
            if value != "":
                _say(out, f"    {name:<9}{_short(value)}", indent=" " * 13)
        if one.proof and (hint := fix(one.id)):
            _say(out, f"    {'fix':<9}{hint}", indent=" " * 13)
    for name in dict.fromkeys(one.id for one in causes if one.proof and fix(one.id)):
        _say(out, f"  parity explain {name}", "dim")


def _alike(causes: Sequence[Cause]) -> list[list[Cause]]:
    """The same setting with the same values in several layers is printed once."""
    found: dict[tuple[str, ...], list[Cause]] = {}
    for place, one in enumerate(causes):
        own = str(place) if one.id == UNKNOWN else ""
        found.setdefault((one.id, str(one.keras), str(one.torch), own), []).append(one)
    return list(found.values())


def _short(value: Any) -> str:
    """A value within a line."""
    if isinstance(value, tuple) and all(isinstance(one, float) for one in value):
        text = ", ".join(f"{one:.4g}" for one in value)
    else:
        text = f"{value:.7g}" if isinstance(value, float) else str(value)
    return text if len(text) <= WIDTH - 14 else text[: WIDTH - 15] + "…"


def _table(*headings: str, names: int = 1) -> Table:
    """A plain table whose first columns are names and whose others are numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place < names else "right", no_wrap=True)
    return table


def _ladder(out: Console, reports: Sequence[Outcome]) -> None:
    """A row per pair and rung, then why a rung was not run."""
    narrow, several = out.width < NARROW, len(reports) > 1
    dtypes = [one for one in ("float64", "float32") if any(_has(report, one) for report in reports)]
    columns = [text for dtype in dtypes for text in (dtype, "allowed")]
    before = ["model", "rung"] if several and not narrow else ["rung"]
    table = _table(*before, *columns, names=len(before))
    table.add_column("", no_wrap=True)
    for report in reports:
        if several and narrow:
            table.add_row(f"[bold]{escape(report.name)}[/]")
        for rung in report.rungs:
            sizes = {report.dtype: (rung.observed, rung.allowed)}
            if deviation := report.in_float32(rung.name):
                sizes["float32"] = (deviation.observed, deviation.allowed)
            table.add_row(
                *([escape(report.name)] if len(before) > 1 else []),
                title(rung.name, report.steps),
                *(_cell(size) for dtype in dtypes for size in sizes.get(dtype, (None, None))),
                f"[{STATUS_STYLES[rung.status]}]{rung.status}[/]",
            )
    out.print(table)
    for report in reports:
        of = f"{report.name}: " if several else ""
        for rung in report.rungs:
            if rung.status == NOT_RUN:
                _say(out, f"{of}{title(rung.name, report.steps)}: not run: {rung.reason}")
        for rung in report.rungs:
            deviation = report.in_float32(rung.name)
            if deviation and rung.status == PASSED and not deviation.observed <= deviation.allowed:
                _say(out, f"{of}{title(rung.name, report.steps)}: float32 differs by more than "
                     "rounding explains; float64 decides the verdict")  # fmt: skip
    rms = "float32" in dtypes and any(report.records for report in reports)
    measure = "maximum in float64, root mean square in float32" if rms else "maximum"
    _say(
        out,
        f"Relative errors: differences divided by the tensor's largest entry ({measure}); "
        "each is also the smallest tolerance that would pass.",
        "dim",
    )


def _has(report: Outcome, dtype: str) -> bool:
    return report.dtype == dtype or bool(dtype == "float32" and report.float32)


def _cell(value: float | None) -> str:
    return "-" if value is None else number(value)


def _layers(out: Console, report: Outcome) -> None:
    """Layers that could be compared in part only, or not at all."""
    unknown = [one.keras for one in report.compared if not one.known]
    if unknown:
        text = f"Of unknown kind, compared by inputs and outputs: {', '.join(unknown)}"
        _say(out, "")
        _say(out, text)
    for side, names in zip(report.sides, (report.keras_only, report.torch_only), strict=True):
        if names:
            _say(out, f"Only in {side}: {', '.join(names)}")


def _notes(out: Console, reports: Sequence[Outcome]) -> None:
    """Each note once, with the pairs that it is about where there are several."""
    notes = dict.fromkeys(note for report in reports for note in report.notes)
    if notes:
        out.print()
    for note in notes:
        names = ", ".join(report.name for report in reports if note in report.notes)
        _say(out, f"{names}: {note}" if len(reports) > 1 else note)


def _figures(out: Console, reports: Sequence[Outcome]) -> None:
    """What both sides measured, one below the other, and the versions."""
    if not any(report.figures for report in reports):
        return
    narrow, several = out.width < NARROW, len(reports) > 1
    names = ["model", "side"] if several else ["side"]
    counts = ["parameters"] if narrow else ["parameters", "trainable"]
    table = _table(*names, *counts, "accuracy", "ms/step", "peak MiB", names=len(names))
    for report in reports:
        name = report.name
        for one in report.figures:
            table.add_row(
                *([escape(name)] if several else []),
                one.side,
                f"{one.parameters:,}",
                *([] if narrow else [f"{one.trainable:,}"]),
                "-" if one.accuracy is None else f"{one.accuracy:.4f}",
                "-" if one.step is None else f"{1000 * one.step:.2f}",
                f"{one.peak_memory / 2**20:.0f}",
            )
            name = ""
    out.print()
    out.print(table)
    _say(out, reports[0].about_figures, "dim")
    versions: dict[str, list[str]] = {}
    for report in reports:
        for package, version in report.provenance.versions.items():
            if version not in versions.setdefault(package, []):
                versions[package].append(version)
    found = (f"{package} {' and '.join(several)}" for package, several in versions.items())
    _say(out, ", ".join(found), "dim")


def _checks(out: Console, report: Outcome) -> None:
    """A row per compared tensor, and below them why that much is allowed, by number."""
    reasons = list(dict.fromkeys(check.reason for check in report.checks if check.reason))
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("tensor", overflow="fold")
    for heading in ("observed", "allowed", "why"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for check in report.checks:
        table.add_row(
            escape(f"{check.dtype}/{check.rung}/{check.tensor}"),
            number(check.observed),
            number(check.allowed),
            str(1 + reasons.index(check.reason)) if check.reason else "",
            f"[{STATUS_STYLES[PASSED if check.ok else FAILED]}]{PASSED if check.ok else FAILED}[/]",
        )
    _heading(out, f"{report.name}: every tensor that was compared")
    out.print(table)
    for place, reason in enumerate(reasons, 1):
        _say(out, f"why {place}: {reason}", "dim")


def _places(reports: Sequence[Outcome]) -> Iterator[str]:
    """Paths of the records, those of one side in one line."""
    of_records = [report.records["headers"] for report in reports if report.records]
    for pair in zip(*of_records, strict=True):
        parents: dict[Path, list[str]] = {}
        for header in pair:
            path = Path(header["path"])
            parents.setdefault(path.parent, []).append(path.name)
        for parent, names in parents.items():
            last = names[0] if len(names) == 1 else f"{{{','.join(names)}}}"
            yield f"record: {parent / last}"
