"""What a check is, and the checks of a record's form, made before any number is read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from parity import rungs
from parity.ladder.contents import Form, expected, form_of, matches_form
from parity.ladder.record import Header, Record


@dataclass(frozen=True)
class Check:
    """One comparison: what was observed, what was allowed and why, and where it is worst.

    Both are relative to the tensor's largest entry: the largest difference in float64, the RMS
    difference in float32. For labels and parameter counts they are counts (int). A tensor that
    cannot be compared is infinitely far.

    Attributes:
        values: the reference's and the judged side's entry at ``index``.
        reference_dtype: dtype that the reference's entry is taken from.
        side: whose tensor is judged; the reference's own float32 is held against its float64.
        reason: why so much is allowed.
        override: whether that is not the table's but an override of it.
        step: of several steps in one tensor, the first, from 1, that is beyond what is allowed.
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
        """The least tolerance that would have passed: what was observed."""
        return self.observed

    @property
    def ok(self) -> bool:
        """Whether it passed; a limit that is not finite allows nothing."""
        return math.isfinite(self.allowed) and self.observed <= self.allowed

    @property
    def severity(self) -> float:
        """Observed in units of allowed; orders checks of one rung."""
        if self.observed == 0.0:
            return 0.0
        ratio = self.observed / self.allowed if self.allowed else math.inf
        return math.inf if math.isnan(ratio) else ratio


def forms(reference: Record, other: Record) -> Iterator[Check]:
    """A failed check for each tensor that is missing, extra, or not as the spec calls for."""
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
    """A failed check for each tensor of a replay that is not as the reference's, and the spec's."""
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
    """What to call the two sides: the backends' names, told apart where they are the same."""
    a, b = reference.header.backend, other.header.backend
    return (a, b) if a != b else (f"{a} (first)", f"{b} (second)")


def trained(record: Record, side: str) -> Iterator[Check]:
    """Which parameters a record trains, and how many entries those and all of them have.

    Held against the spec's canonical table. The counts are the framework's own, so they see what
    no canonical name covers; they are checks that can pass, too.
    """
    header = record.header
    table = {row.name: row for row in header.spec.model.parameters()}
    should = {row.name for row in table.values() if row.trainable}
    for name in sorted(should ^ set(header.trainable)):
        does = "trains" if name in header.trainable else "does not train"
        note = f"{side} {does} it, against the spec's table"
        yield Check(header.dtypes[0], "parameters", name, math.inf, 0.0, note=note)
    for layer in header.spec.model.layers():
        ought_to = sum(table[name].size for name in should if name.split("/")[0] == layer.name)
        if (found := header.counts.get(layer.name, 0)) or ought_to:
            name = f"{layer.name}/trainable parameters"
            yield _count(name, found, ought_to, header, side)
    total = sum(row.size for row in table.values())
    trainable = sum(table[name].size for name in should)
    yield _count("parameters in all", header.counts.get("total", 0), total, header, side)
    yield _count(
        "trainable parameters in all", header.counts.get("trainable", 0), trainable, header, side
    )


def _count(what: str, found: int, ought_to: int, header: Header, side: str) -> Check:
    """A framework's own count against the spec's."""
    return Check(
        header.dtypes[0],
        "parameters",
        f"{what} ({side})",
        abs(found - ought_to),
        0,
        note="" if found == ought_to else f"{found:,} against the spec's {ought_to:,}",
        side=side,
        reason="a count",
    )
