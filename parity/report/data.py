"""A comparison as JSON data."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from parity.ladder.record import Record
from parity.system import destinations
from parity.verdict.blame import Blame
from parity.verdict.checks import Check
from parity.verdict.compare import Comparison


def as_data(comparisons: list[Comparison]) -> dict[str, Any]:
    """Verdict, every check, and the figures of both records.

    Numbers that JSON lacks become text: ``"nan"``, ``"inf"``, ``"-inf"``.
    """
    return {
        "verdict": _verdict(all(comparison.same for comparison in comparisons)),
        "models": [_plain(_model(comparison)) for comparison in comparisons],
    }


def write(path: Path, comparisons: list[Comparison]) -> None:
    """Write the data to a file, whole or not at all; a file that stands there is replaced.

    Raises:
        ParityError: it cannot be written.
    """
    destinations.write_json(path, as_data(comparisons))


def _verdict(same: bool) -> str:
    return "same" if same else "different"


def _model(comparison: Comparison) -> dict[str, Any]:
    found = comparison.blame
    return {
        "model": comparison.reference.header.spec.family,
        "verdict": _verdict(comparison.same),
        "decided_in": "float64" if comparison.decisive else "float32",
        "weaker": not comparison.decisive,
        "sides": comparison.sides,
        "first_divergence": _divergence(found, comparison) if found else None,
        "checks": [_check(check) for check in comparison.checks],
        "null_gradients": [vars(entry) for entry in comparison.null_gradients],
        "float32_says_next_to_nothing": [
            f"{check.rung}/{check.tensor}" for check in comparison.blind
        ],
        "layers_by_themselves": [_check(check) for check in comparison.own],
        "saturated": dict(comparison.saturated),
        "equivalences": [
            {**vars(test), "shown": test.shown, "refuted": test.refuted}
            for test in comparison.equivalences
        ],
        "allowed": {rung: vars(row) for rung, row in comparison.overrides.items()},
        "notes": comparison.notes,
        "spec": comparison.reference.header.spec.to_json(),
        "records": [_record(comparison.reference), _record(comparison.other)],
    }


def _check(check: Check) -> dict[str, Any]:
    return {**vars(check), "least": check.least, "ok": check.ok}


def _divergence(found: Blame, comparison: Comparison) -> dict[str, Any]:
    """The first failed check, and what it hangs on."""
    names = dict(zip(comparison.sides, found.names, strict=True))
    by_itself = _check(found.own) if found.own else None
    return {
        **_check(found.check),
        "to_blame": found.part,
        "step": found.step,
        "layer": names if any(found.names) else None,
        "by_itself": by_itself,
        "off_by_themselves": [*found.others],
    }


def _record(record: Record) -> dict[str, Any]:
    left_out = ("spec", "rounding", "notes")
    header = {name: value for name, value in vars(record.header).items() if name not in left_out}
    return {"path": str(record.path), **header}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
