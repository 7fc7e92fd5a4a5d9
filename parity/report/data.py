"""A comparison as JSON data."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from parity.errors import ParityError
from parity.ladder import Check, Comparison
from parity.record import Record


def as_data(comparisons: list[Comparison]) -> dict[str, Any]:
    """Verdict, every check, and the figures of both records; numbers that JSON lacks become text."""
    content = {
        "verdict": _verdict(all(comparison.same for comparison in comparisons)),
        "models": [_model(comparison) for comparison in comparisons],
    }
    return _plain(content)


def write(path: Path, comparisons: list[Comparison]) -> None:
    """Write the data to a file.

    Raises:
        ParityError: it cannot be written.
    """
    try:
        path.write_text(json.dumps(as_data(comparisons), indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise ParityError(f"--json: cannot write {path}: {error.strerror}") from None


def _verdict(same: bool) -> str:
    return "same" if same else "different"


def _model(comparison: Comparison) -> dict[str, Any]:
    failed = comparison.failed
    return {
        "model": comparison.reference.header.spec.family,
        "verdict": _verdict(comparison.same),
        "first_divergence": _check(failed[0]) if failed else None,
        "checks": [_check(check) for check in comparison.checks],
        "null_gradients": [vars(entry) for entry in comparison.null_gradients],
        "notes": comparison.notes,
        "spec": comparison.reference.header.spec.to_json(),
        "records": [_record(comparison.reference), _record(comparison.other)],
    }


def _check(check: Check) -> dict[str, Any]:
    return {**vars(check), "ok": check.ok}


def _record(record: Record) -> dict[str, Any]:
    header = record.header
    left_out = ("spec", "rounding", "notes")
    return {
        "path": str(record.path),
        **{name: value for name, value in vars(header).items() if name not in left_out},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
