"""What a report says in words: first divergences, null gradients, notes, versions."""

from __future__ import annotations

import math
from collections.abc import Iterator

from parity import rungs
from parity.rungs import SNAPSHOTS, title
from parity.verdict import blame
from parity.verdict.blame import Blame
from parity.verdict.checks import Check
from parity.verdict.compare import Comparison

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
    """Where two records part first: rung, tensor, who is to blame, both values, what is allowed."""
    found = comparison.blame
    if found is None:
        return
    first, steps = found.check, comparison.reference.header.steps
    yield f"first divergence: {title(first.rung, steps)}, {first.dtype}: {first.tensor}"
    yield from _culprit(found, comparison)
    if first.values:
        index = ", ".join(map(str, first.index))
        x, y = first.values
        yield (
            f"at [{index}]: {_value(comparison.sides[0], first.reference_dtype, first, x)}, "
            f"{_value(first.side, first.dtype, first, y)}"
        )
    why = f" ({first.reason})" if first.reason else ""
    yield (
        f"observed {number(first.observed)}, allowed {number(first.allowed)}{why}; "
        f"least tolerance that would pass: {number(first.least)}"
    )
    if first.note:
        yield first.note
    yield from _by_itself(found, comparison)
    failed = comparison.failed
    if all(check.dtype == "float32" for check in failed) and comparison.decisive:
        yield "float64 agrees throughout: look for what is done in float32 only"
    if len(failed) > 1:
        yield (
            f"further checks that fail: {len(failed) - 1} of {len(comparison.checks) - 1}; "
            "--json FILE lists them"
        )


def _culprit(found: Blame, comparison: Comparison) -> Iterator[str]:
    """Layer, data, loss or optimizer, and the step."""
    at = f" at step {found.step}" if found.step else ""
    if found.check.rung == rungs.TRAINING:
        steps = comparison.reference.header.steps
        first = f"{steps} steps" if steps > 1 else "first step"
        if found.check.tensor == "epochs":
            yield "one side's whole training stops earlier: to blame is a callback, or what it saw"
            return
        yield (
            f"shows{at or ' at the end'} of the whole training, while the ladder's {first} agree: "
            "it begins later (schedule, callbacks, the end of an epoch), or rounding adds up"
        )
        return
    if found.part == blame.DATA:
        yield f"to blame: the data{at}, before any layer"
    elif found.part == blame.LOSS:
        if found.step in (None, 1):
            yield f"to blame: the loss{at}; all that goes into it agrees"
        else:
            yield f"to blame: the loss{at}, or a layer; what they are fed and the weights agree"
    elif found.part == blame.OPTIMIZER:
        if found.step == 1:
            yield f"to blame: the optimizer{at}; forward pass, loss and gradients agree"
        else:
            yield f"to blame: the optimizer{at}, or a gradient; what was fed and the loss agree"
    elif found.part:
        names = (
            f"in {side} {name}"
            for side, name in zip(comparison.sides, found.names, strict=True)
            if name
        )
        yield f"to blame: layer {found.part}{at}: {', '.join(names)}"
    elif found.step:
        kept = max(step for step in (1, *SNAPSHOTS) if step < found.step)
        yield f"something between step {kept}, whose weights agree, and step {found.step}"


def _by_itself(found: Blame, comparison: Comparison) -> Iterator[str]:
    """What a replay says of the layer."""
    if not comparison.own:
        return
    fed = f"fed {comparison.sides[0]}'s own input"
    if found.own and not found.own.ok:
        yield f"{fed}, {found.part} is {number(found.own.observed)} off: the difference is its own"
    elif found.own:
        yield (
            f"{fed}, {found.part} agrees ({number(found.own.observed)}): the difference comes "
            "from what stands before it, or rounding adds up"
        )
    if found.others:
        yield f"{fed}, these are off as well: {_some(list(found.others))}"


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
        yield from _whole_training(comparison)
        yield from _overridden(comparison)
        yield from _past_saturation(comparison)
        if comparison.own and comparison.same:
            off = [*dict.fromkeys(check.tensor for check in comparison.own if not check.ok)]
            found = f"these are off: {_some(off)}" if off else "every layer agrees"
            yield f"{family}: fed {comparison.sides[0]}'s own input, {found}"
        if comparison.blind:
            names = _some([f"{check.rung}/{check.tensor}" for check in comparison.blind])
            yield (
                f"{family}: float32 says next to nothing here, as rounding alone moves it by a "
                f"tenth of its largest entry or more: {names}"
            )
    for note in dict.fromkeys(note for comparison in comparisons for note in comparison.notes):
        having = [comparison for comparison in comparisons if note in comparison.notes]
        yield f"{names_of(having)}: {note}"


def _whole_training(comparison: Comparison) -> Iterator[str]:
    """How far each side's whole training went, and how good its model is."""
    header = comparison.reference.header
    for side, record in zip(
        comparison.sides, (comparison.reference, comparison.other), strict=True
    ):
        whole = record.header.results.get("float64", {}).get("whole")
        if whole:
            yield (
                f"{header.spec.family}: whole training, {side}: {whole['epochs']} of "
                f"{header.epochs} epochs, {whole['steps']} steps, test loss {whole['loss']:.6f}, "
                f"test accuracy {whole['accuracy']:.4f}"
            )


def _overridden(comparison: Comparison) -> Iterator[str]:
    """Where float64 was allowed something else than by the table, and why."""
    header = comparison.reference.header
    found: dict[tuple[str, str], list[Check]] = {}
    for check in comparison.checks:
        if check.override:
            found.setdefault((check.rung, check.reason), []).append(check)
    for (rung, reason), checks in found.items():
        most = max(check.allowed for check in checks)
        count = "1 tensor" if len(checks) == 1 else f"{len(checks)} tensors"
        yield (
            f"{header.spec.family}: {title(rung, header.steps)}: {count} allowed up to "
            f"{number(most)} in float64: {reason}"
        )


def _past_saturation(comparison: Comparison) -> Iterator[str]:
    """Where weights are no longer compared, and what is instead."""
    family = comparison.reference.header.spec.family
    for dtype, step in comparison.saturated.items():
        yield (
            f"{family}: {dtype}: after step {step} rounding alone has spread the weights over "
            "their whole scale; from there on neither they nor what follows from them is compared"
        )
    seeds = comparison.reference.header.seeds
    if seeds > 1 and "float32" not in comparison.saturated:
        yield f"{family}: {seeds} seeds were not needed: float32's weights are compared to the end"
    if "float32" in comparison.saturated and not comparison.equivalences:
        yield f"{family}: --seeds 5 would compare loss, accuracy and predictions over seeds instead"
    for test in comparison.equivalences:
        outcome = "equivalent" if test.shown else "different" if test.refuted else "undecided"
        low, high = test.interval
        more = "" if test.shown or test.refuted else "; more seeds would decide"
        yield (
            f"{family}: {test.name} over {test.seeds} seeds: {outcome}: mean difference "
            f"{test.mean:.2g}, 90 % interval {low:.2g} to {high:.2g}, margin ±{test.margin:.2g}"
            f"{more}"
        )


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
