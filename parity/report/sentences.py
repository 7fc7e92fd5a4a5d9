"""What a comparison of two records shows, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from parity import rungs
from parity.report.wording import counted, number, some
from parity.rungs import SNAPSHOTS, title
from parity.verdict import location
from parity.verdict.compare import Comparison
from parity.verdict.result import Check


def divergence(comparison: Comparison) -> Iterator[str]:
    """What is known about the first divergence of two records besides its size."""
    first = comparison.first
    if first is None:
        return
    yield from _location(first, comparison)
    yield from about(first, comparison.sides)
    yield from _with_the_same_input(first, comparison)
    failed = comparison.failed
    if all(check.dtype == "float32" for check in failed) and comparison.decisive:
        yield "float64 agrees everywhere: look for what is done in float32 only"
    if len(failed) > 1:
        yield (
            f"{len(failed) - 1} of {len(comparison.checks) - 1} further checks fail; "
            "--json FILE lists them"
        )


def about(check: Check, sides: tuple[str, str]) -> Iterator[str]:
    """Both sides' entry that differs most, and the notes of a check."""
    if check.values:
        index = ", ".join(map(str, check.index))
        x, y = check.values
        values = (
            _value(sides[0], check.reference_dtype, check, x),
            _value(check.side, check.dtype, check, y),
        )
        yield (f"at [{index}]: " if index else "") + ", ".join(values)
    yield from check.notes


def _location(found: Check, comparison: Comparison) -> Iterator[str]:
    """Layer, data, loss or optimizer, and the step."""
    at = f" at step {found.step}" if found.step else ""
    if found.rung == rungs.TRAINING:
        steps = comparison.reference.header.steps
        first = f"{steps} steps" if steps > 1 else "first step"
        if found.tensor == "epochs":
            yield "one side's training stops earlier: located in a callback, or in what it monitors"
            return
        yield (
            f"first visible{at or ' at the end'} of the whole training, while the ladder's {first} "
            "agree: it begins later (schedule, callbacks, the end of an epoch), or rounding adds up"
        )
    elif found.location == location.DATA:
        yield f"located in the data{at}, before any layer"
    elif found.location == location.LOSS and found.step in (None, 1):
        yield f"located in the loss{at}; all of its inputs agree"
    elif found.location == location.LOSS:
        yield f"located in the loss{at}, or in a layer; the model's inputs and weights agree"
    elif found.location == location.OPTIMIZER and found.step == 1:
        yield f"located in the optimizer{at}; forward pass, loss and gradients agree"
    elif found.location == location.OPTIMIZER:
        yield f"located in the optimizer{at}, or in a gradient; the inputs and the loss agree"
    elif found.location:
        yield f"located in layer {found.location}{at}"
    elif found.step:
        kept = max(step for step in (1, *SNAPSHOTS) if step < found.step)
        yield f"located between step {kept}, after which the weights agree, and step {found.step}"


def _with_the_same_input(first: Check, comparison: Comparison) -> Iterator[str]:
    """What a replay shows of the layer."""
    if not comparison.replayed:
        return
    found, given = comparison.first_replayed, f"given {comparison.sides[0]}'s input"
    if found and not found.ok:
        yield f"{given}, {first.location} differs by {number(found.observed)}: it is this layer"
    elif found:
        yield (
            f"{given}, {first.location} agrees ({number(found.observed)}): the difference comes "
            "from upstream, or rounding adds up"
        )
    if comparison.others_replayed:
        yield f"{given}, these differ as well: {some(comparison.others_replayed)}"


def _value(side: str, dtype: str, check: Check, value: float) -> str:
    """A side's entry; its dtype is named where the two sides' differ."""
    name = side if check.reference_dtype == check.dtype else f"{side} {dtype}"
    return f"{name} {value:.17g}" if dtype == "float64" else f"{name} {value:.9g}"


def remarks(comparison: Comparison) -> Iterator[str]:
    """What else a comparison of two records shows, then the records' own notes."""
    null = comparison.null_gradients
    if null:
        largest = max(max(entry.largest) for entry in null)
        yield (
            f"null gradients, not compared: {some([entry.parameter for entry in null])}. Both "
            f"sides have at most {number(largest)}, only rounding, and give the optimizer zero."
        )
    yield from _whole_training(comparison)
    yield from _overridden(comparison)
    yield from _past_saturation(comparison)
    if comparison.replayed and comparison.same:
        off = [*dict.fromkeys(check.tensor for check in comparison.replayed if not check.ok)]
        found = f"these differ: {some(off)}" if off else "every layer agrees"
        yield f"given {comparison.sides[0]}'s input, {found}"
    if comparison.blind:
        names = some([f"{check.rung}/{check.tensor}" for check in comparison.blind])
        yield (
            "float32 shows almost nothing here, because rounding alone changes it by a tenth of "
            f"its largest entry or more: {names}"
        )
    yield from comparison.notes


def _whole_training(comparison: Comparison) -> Iterator[str]:
    """How far each side's whole training went, and how good its model is."""
    records = (comparison.reference, comparison.other)
    for side, record in zip(comparison.sides, records, strict=True):
        whole = record.header.results.get("float64", {}).get("whole")
        if whole:
            yield (
                f"whole training, {side}: {whole['epochs']} of {record.header.epochs} epochs, "
                f"{whole['steps']} steps, test loss {whole['loss']:.6f}, "
                f"test accuracy {whole['accuracy']:.4f}"
            )


def _overridden(comparison: Comparison) -> Iterator[str]:
    """Where float64 was allowed something else than by the table, and why."""
    found: dict[tuple[str, str], list[Check]] = {}
    for check in comparison.checks:
        if check.override:
            found.setdefault((check.rung, check.reason), []).append(check)
    for (rung, reason), checks in found.items():
        most = max(check.allowed for check in checks)
        yield (
            f"{title(rung, comparison.reference.header.steps)}: {counted(len(checks), 'tensor')} "
            f"allowed up to {number(most)} in float64: {reason}"
        )


def _past_saturation(comparison: Comparison) -> Iterator[str]:
    """From where weights are no longer compared, and what is compared instead."""
    for dtype, step in comparison.saturated.items():
        yield (
            f"{dtype}: after step {step} rounding alone has spread the weights over their whole "
            "scale; from there on neither they nor anything downstream is compared"
        )
    seeds = comparison.reference.header.seeds
    if seeds > 1 and "float32" not in comparison.saturated:
        yield f"{seeds} seeds were not needed: float32's weights are compared to the end"
    if "float32" in comparison.saturated and not comparison.equivalences:
        yield "--seeds 5 would compare loss, accuracy and predictions over seeds instead"
    for test in comparison.equivalences:
        outcome = "equivalent" if test.shown else "different" if test.refuted else "undecided"
        low, high = test.interval
        more = "" if test.shown or test.refuted else "; more seeds would decide"
        yield (
            f"{test.name} over {test.seeds} seeds: {outcome}: mean difference {test.mean:.2g}, "
            f"90 % interval {low:.2g} to {high:.2g}, margin ±{test.margin:.2g}{more}"
        )
