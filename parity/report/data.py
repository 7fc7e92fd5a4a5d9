"""Reports as JSON data; ``docs/report.schema.json`` describes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from parity.report.outcome import Outcome, overall
from parity.report.wording import fix
from parity.rungs import title
from parity.system import destinations, strict_json
from parity.verdict.result import Cause, Check, Rung

SCHEMA = 2
"""Raised whenever a field is added."""


def as_data(report: Outcome) -> dict[str, Any]:
    """One report; numbers that JSON lacks are the texts ``nan``, ``inf`` and ``-inf``."""
    first = report.first_divergence
    found = {
        "schema": SCHEMA,
        "name": report.name,
        "verdict": report.verdict,
        "dtype": report.dtype,
        "sides": report.sides,
        "rungs": [_rung(report, one) for one in report.rungs],
        "first_divergence": first and check_as_data(first),
        "about_first_divergence": report.about_first_divergence,
        "causes": [_cause(one) for one in report.causes],
        "latent": [_cause(one) for one in report.latent],
        "layers": [asdict(one) for one in report.compared],
        "unmatched": {"keras": report.keras_only, "torch": report.torch_only},
        "plain": report.plain,
        "doubt": report.doubt,
        "steps": report.steps,
        "notes": report.notes,
        "figures": [asdict(one) for one in report.figures],
        "checks": [check_as_data(one) for one in report.checks],
        "records": report.records,
        "provenance": asdict(report.provenance),
    }
    plain = json.loads(json.dumps(found, default=_plain))
    return strict_json.encode_non_finite(plain)  # type: ignore[no-any-return]


def _rung(report: Outcome, one: Rung) -> dict[str, Any]:
    deviation = report.in_float32(one.name)
    return {
        **asdict(one),
        "findings": [check_as_data(check) for check in one.findings],
        "title": title(one.name, report.steps),
        "float32": asdict(deviation) if deviation else None,
    }


def check_as_data(check: Check) -> dict[str, Any]:
    """One compared tensor."""
    return {**vars(check), "least": check.least, "ok": check.ok}


def write(path: Path, reports: Sequence[Outcome]) -> None:
    """Write one report, or several as ``pairs``, replacing the file whole or not at all.

    Raises:
        ParityError: it cannot be written.
    """
    found = [as_data(one) for one in reports]
    several = {"schema": SCHEMA, "verdict": overall(reports), "pairs": found}
    destinations.write_json(path, found[0] if len(found) == 1 else several)


def _plain(value: Any) -> Any:
    """What JSON lacks: NumPy's scalars as Python's, everything else as text."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _cause(cause: Cause) -> dict[str, Any]:
    return {**asdict(cause), "fix": fix(cause.id)}
