"""Checks of what records contain: names, shapes, dtypes, and the counts of parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator

from parity import rungs
from parity.ladder.contents import Form, expected, form_of, matches_form
from parity.ladder.record import Header, Record
from parity.verdict.result import Check


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
        yield Check(*rungs.split(name), math.inf, 0.0, notes=(", ".join(parts),))


def forms_of_replay(reference: Record, replay: Record) -> Iterator[Check]:
    """Yield a failed check for each tensor of a replay without the reference's and spec's form."""
    wanted = expected(replay.header, "float64")
    for name in sorted({*wanted, *replay.names}):
        found = form_of(replay, name)
        if not matches_form(found, wanted.get(name)) or found != form_of(reference, name):
            note = f"the replay has {_text(found) if found else 'nothing'} of it"
            yield Check(*rungs.split(name), math.inf, 0.0, notes=(note,))


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
        yield Check(header.dtypes[0], "parameters", name, math.inf, 0.0, notes=(note,))
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
    equal = found == expected_count
    notes = () if equal else (f"{found:,} against the spec's {expected_count:,}",)
    return Check(
        header.dtypes[0],
        "parameters",
        f"{what} ({side})",
        abs(found - expected_count),
        0,
        side=side,
        reason="a count",
        notes=notes,
    )
