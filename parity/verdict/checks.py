"""Check, the comparison of one tensor, and checks of names, shapes, dtypes and counts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from parity import rungs
from parity.ladder.contents import Form, expected, form_of, matches_form
from parity.ladder.record import Header, Record


@dataclass(frozen=True)
class Check:
    """One comparison: the observed and the allowed difference, and the worst entry.

    Both differences are relative to the tensor's largest entry: the largest difference in float64,
    the RMS difference in float32. For labels and parameter counts they are counts (int). The
    difference is infinite for a tensor that cannot be compared.

    Attributes:
        values: the entries at ``index`` of the reference and of the judged side.
        reference_dtype: dtype of the reference's entry.
        side: the judged side; the reference's own float32 is compared with its float64.
        reason: reason for the tolerance.
        override: whether the tolerance replaces the table's.
        step: for a tensor over several steps, the first step, from 1, that exceeds the tolerance.
    """

    dtype: str
    rung: str
    tensor: str
    observed: float
    allowed: float
    index: tuple[int, ...] = ()
    values: tuple[float, float] | None = None
    reference_dtype: str = ""
    note: str = ""
    side: str = ""
    reason: str = ""
    override: bool = False
    step: int | None = None

    @property
    def least(self) -> float:
        """The smallest tolerance with which the check would have passed."""
        return self.observed

    @property
    def ok(self) -> bool:
        """Whether the check passed; with a tolerance that is not finite it fails."""
        return math.isfinite(self.allowed) and self.observed <= self.allowed

    @property
    def severity(self) -> float:
        """The observed difference divided by the allowed one."""
        if self.observed == 0.0:
            return 0.0
        ratio = self.observed / self.allowed if self.allowed else math.inf
        return math.inf if math.isnan(ratio) else ratio


def forms(reference: Record, other: Record) -> Iterator[Check]:
    """Yield a failed check for each tensor that is missing, extra, or not in the spec's form."""
    header = reference.header
    wanted: dict[str, Form] = {}
    for dtype in header.dtypes:
        wanted |= expected(header, dtype)
    for name in sorted({*wanted, *reference.names, *other.names}):
        found = [form_of(record, name) for record in (reference, other)]
        if found[0] == found[1] and matches_form(found[0], wanted.get(name)):
            continue
        sides = sides_of(reference, other)
        parts = [
            f"{side} has {_text(form)}" if form else f"{side} lacks it"
            for side, form in zip(sides, found, strict=True)
        ]
        form = wanted.get(name)
        parts.append(f"the spec calls for {_text(form)}" if form else "the spec has none such")
        yield Check(*rungs.split(name), math.inf, 0.0, note=", ".join(parts))


def forms_of_replay(reference: Record, replay: Record) -> Iterator[Check]:
    """Yield a failed check for each tensor of a replay without the reference's and spec's form."""
    wanted = expected(replay.header, "float64")
    for name in sorted({*wanted, *replay.names}):
        found = form_of(replay, name)
        if not matches_form(found, wanted.get(name)) or found != form_of(reference, name):
            note = f"the replay has {_text(found) if found else 'nothing'} of it"
            yield Check(*rungs.split(name), math.inf, 0.0, note=note)


def _text(form: Form) -> str:
    shape, dtype = form
    lengths = ", ".join("any" if length is None else str(length) for length in shape)
    return f"({lengths}{',' if len(shape) == 1 else ''}) {dtype}"


def sides_of(reference: Record, other: Record) -> tuple[str, str]:
    """Return the names of the two sides: the backends', with a number if they are equal."""
    a, b = reference.header.backend, other.header.backend
    return (a, b) if a != b else (f"{a} (first)", f"{b} (second)")


def trained(record: Record, side: str) -> Iterator[Check]:
    """Yield checks of a record's trained parameters and of the framework's parameter counts.

    They are compared with the spec's parameters. The counts also include parameters without a
    canonical name. Checks of counts are yielded whether they pass or fail.
    """
    header = record.header
    table = {row.name: row for row in header.spec.model.parameters()}
    trained_names = {row.name for row in table.values() if row.trainable}
    for name in sorted(trained_names ^ set(header.trainable)):
        does = "trains" if name in header.trainable else "does not train"
        note = f"{side} {does} it, against the spec's table"
        yield Check(header.dtypes[0], "parameters", name, math.inf, 0.0, note=note)
    for layer in header.spec.model.layers():
        expected_count = sum(
            table[name].size for name in trained_names if name.split("/")[0] == layer.name
        )
        if (found := header.counts.get(layer.name, 0)) or expected_count:
            name = f"{layer.name}/trainable parameters"
            yield _count(name, found, expected_count, header, side)
    total = sum(row.size for row in table.values())
    trainable = sum(table[name].size for name in trained_names)
    yield _count("parameters in all", header.counts.get("total", 0), total, header, side)
    yield _count(
        "trainable parameters in all", header.counts.get("trainable", 0), trainable, header, side
    )


def _count(what: str, found: int, expected_count: int, header: Header, side: str) -> Check:
    """Return the check of a framework's own count against the spec's."""
    return Check(
        header.dtypes[0],
        "parameters",
        f"{what} ({side})",
        abs(found - expected_count),
        0,
        note="" if found == expected_count else f"{found:,} against the spec's {expected_count:,}",
        side=side,
        reason="a count",
    )
