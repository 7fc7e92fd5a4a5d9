"""Records of real models, and their comparison, for the tests of this folder."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from parity.adapters.backend import Backend
from parity.ladder import record
from parity.specs.run import Spec
from parity.verdict import compare
from parity.verdict.compare import Comparison
from parity_tests.support import cases

STEPS = 2

Record = Callable[..., Path]
"""A function of (backend, spec, dtypes) that returns the path of the record."""


def recorder(folder: Path) -> Record:
    """Return a function that writes records of real models to ``folder``."""
    numbers = itertools.count()

    def make(backend: Backend, spec: Spec, dtypes: tuple[str, ...] = ("float64",)) -> Path:
        return cases.record_of(backend, spec, folder / str(next(numbers)), dtypes, STEPS)

    return make


@contextmanager
def compared(a: Path, b: Path) -> Iterator[Comparison]:
    """Compare two records while both are open."""
    with ExitStack() as opened:
        yield compare.compare(*(opened.enter_context(record.read(path)) for path in (a, b)))


def passes(comparison: Comparison, *rungs: str, dtype: str = "float64") -> bool:
    """Whether these rungs have checks and all of them pass."""
    checks = [c for c in comparison.checks if c.dtype == dtype and c.rung in rungs]
    return bool(checks) and all(check.ok for check in checks)
