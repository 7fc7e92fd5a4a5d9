"""One process of ``benchmarks.soak``: runs the rows it reads, and answers each with a JSON line.

Rows come on stdin, one JSON object a line, all of one Keras and one thread count. An answer holds
the row's ``name`` and either an ``error``, or ``seconds``, ``failed`` (dtype and text of every
failed check, in the order of the ladder), ``float64`` (by rung the largest distance and where) and
``float32`` (by rung the largest share of what is allowed and where).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, TextIO

from benchmarks.soak.rows import Row
from parity.adapters.backend import Backend, Settings, load
from parity.constants import DTYPES
from parity.ladder import record
from parity.rungs import RUNGS
from parity.verdict import compare
from parity.verdict.result import Check
from parity_tests.support import cases


def main() -> None:
    """Answer every row."""
    answers = _own_stdout()
    found = [Row(**json.loads(line)) for line in sys.stdin]
    ((flavour, threads),) = {(row.flavour, row.threads) for row in found}
    os.environ["PARITY_FLAVOUR"] = flavour
    backends = [load(name, Settings(flavour, threads=threads)) for name in ("keras", "torch")]
    for row in found:
        try:
            answer = judged(row, backends)
        except Exception as error:  # this row's alone; the next may run
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"name": row.name, **answer}), file=answers, flush=True)


def _own_stdout() -> TextIO:
    """Keep stdout for the answers; what the frameworks print there goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def judged(row: Row, backends: list[Backend]) -> dict[str, Any]:
    """Climb with both backends in both dtypes, compare, and sum up the checks."""
    began = time.perf_counter()
    spec = row.spec()
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            cases.record_of(backend, spec, Path(folder) / backend.name, DTYPES)
            for backend in backends
        ]
        with record.read(paths[0]) as a, record.read(paths[1]) as b:
            comparison = compare.compare(a, b)
    largest: dict[str, dict[str, tuple[float, str]]] = {dtype: {} for dtype in DTYPES}
    for check in comparison.checks:
        value = check.observed if check.dtype == "float64" else check.severity
        by_rung = largest[check.dtype]
        found = by_rung.setdefault(check.rung, (0.0, ""))
        if isinstance(check.observed, float) and not value <= found[0]:  # no counts; NaN is large
            by_rung[check.rung] = (value, check.tensor)
    unjudged = [
        f"{dtype} {rung}" for dtype in DTYPES for rung in RUNGS if rung not in largest[dtype]
    ]
    if unjudged:
        return {"error": f"no check at: {', '.join(unjudged)}"}
    return {
        "seconds": time.perf_counter() - began,
        "failed": [(check.dtype, _text(check)) for check in comparison.failed],
        **largest,
    }


def _text(check: Check) -> str:
    text = f"{check.dtype} {check.rung} {check.tensor}: "
    text += f"observed {check.observed:.2e}, allowed {check.allowed:.2e}"
    if check.values is not None:
        text += f", at {check.index}: {check.values}"
    return f"{text} {' '.join(check.notes)}".rstrip()


if __name__ == "__main__":
    main()
