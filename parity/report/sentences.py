"""What a report says in words: first divergences, null gradients, notes, versions."""

from __future__ import annotations

import math
from collections.abc import Iterator

from parity.checks import Check
from parity.ladder import Comparison
from parity.rungs import title

SHOWN = 4
"""Names spelt out before the rest are counted."""


def number(value: float) -> str:
    """A distance or a count in a few characters: ``0``, ``1.2e-15``, ``inf``, ``3``."""
    if value == 0 or not math.isfinite(value) or isinstance(value, int):
        return "0" if value == 0 else str(value)
    return f"{value:.1e}"


def names_of(comparisons: list[Comparison]) -> str:
    """The models' names in a row."""
    return ", ".join(comparison.reference.header.spec.family for comparison in comparisons)


def divergence(comparison: Comparison) -> Iterator[str]:
    """Where two records part first: rung, tensor, both values, observed and allowed."""
    first = comparison.first
    if first is None:
        return
    steps = comparison.reference.header.steps
    yield f"first divergence: {title(first.rung, steps)}, {first.dtype}: {first.tensor}"
    if first.values:
        index = ", ".join(map(str, first.index))
        x, y = first.values
        yield (
            f"at [{index}]: {_value(comparison.sides[0], first.reference_dtype, first, x)}, "
            f"{_value(first.side, first.dtype, first, y)}"
        )
    yield f"observed {number(first.observed)}, allowed {number(first.allowed)}"
    if first.note:
        yield first.note
    failed = comparison.failed
    if all(check.dtype == "float32" for check in failed) and comparison.decisive:
        yield "float64 agrees throughout: look for what is done in float32 only"
    if len(failed) > 1:
        yield (
            f"further checks that fail: {len(failed) - 1} of {len(comparison.checks) - 1}; "
            "--json FILE lists them"
        )


def _value(side: str, dtype: str, check: Check, value: float) -> str:
    """A side's entry; its dtype is named where the two sides' differ."""
    name = side if check.reference_dtype == check.dtype else f"{side} {dtype}"
    return f"{name} {value:.17g}" if dtype == "float64" else f"{name} {value:.9g}"


def remarks(comparisons: list[Comparison]) -> Iterator[str]:
    """Null gradients, limits that say nothing, and the records' own notes."""
    for comparison in comparisons:
        family = comparison.reference.header.spec.family
        if comparison.null_gradients:
            names = _some([entry.parameter for entry in comparison.null_gradients])
            largest = max(max(entry.largest) for entry in comparison.null_gradients)
            yield (
                f"{family}: null gradients, not judged: {names}. Both sides find at most "
                f"{number(largest)}, rounding alone, and give the optimizer zero."
            )
        if comparison.blind:
            names = _some([f"{check.rung}/{check.tensor}" for check in comparison.blind])
            yield (
                f"{family}: float32 says next to nothing here, as rounding alone moves it by a "
                f"tenth of its largest entry or more: {names}"
            )
    for note in dict.fromkeys(note for comparison in comparisons for note in comparison.notes):
        having = [comparison for comparison in comparisons if note in comparison.notes]
        yield f"{names_of(having)}: {note}"


def _some(names: list[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def versions(comparisons: list[Comparison]) -> str:
    """Everything that computed, with its versions; several where the records differ."""
    found: dict[str, list[str]] = {}
    for comparison in comparisons:
        for record in (comparison.reference, comparison.other):
            for name, version in record.header.versions.items():
                if version not in found.setdefault(name, []):
                    found[name].append(version)
    return ", ".join(f"{name} {' and '.join(several)}" for name, several in found.items())
