"""Compare both implementations of a model on every rung; one recording serves all tests."""

from __future__ import annotations

import json
import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path

from parity.adapters.backend import Backend
from parity.ladder import record
from parity.specs.run import Spec
from parity.verdict import compare
from parity.verdict.result import Check
from parity_tests.support import cases
from parity_tests.support.shared import Shared


@dataclass(frozen=True)
class Comparison:
    """Every check of one model in float64.

    Attributes:
        spec: the model and its training.
        checks: in the order of the ladder.
        null_gradients: parameters whose gradient is zero but for rounding; they have no checks.
    """

    spec: Spec
    checks: tuple[Check, ...]
    null_gradients: tuple[str, ...]

    def of(self, rung: str) -> dict[str, Check]:
        """The checks of a rung by the name of their tensor."""
        return {check.tensor: check for check in self.checks if check.rung == rung}

    def failed(self, *rungs: str) -> list[str]:
        """A line for each failed check: of the rungs, or of all where none is given."""
        return [
            f"{check.rung} {check.tensor}: differs by {check.observed:.2e}, "
            f"allowed {check.allowed:.2e}, at {check.index}: {check.values} {' '.join(check.notes)}"
            for check in self.checks
            if not check.ok and (not rungs or check.rung in rungs)
        ]


class Comparisons:
    """Compares models, each one once in a test run."""

    def __init__(self, shared: Shared, keras: Backend, torch: Backend) -> None:
        self._shared, self._backends = shared, (keras, torch)

    def of(self, spec: Spec, steps: int = 10, whole: bool = False) -> Comparison:
        """Train both implementations for ``steps`` steps in float64 and compare every rung.

        With ``whole`` the training that the spec describes as well, epoch by epoch.
        """
        key = ("comparison", json.dumps(spec.to_json()), steps, whole)
        path = self._shared.file(
            key, lambda out: out.write_bytes(self._compared(spec, steps, whole))
        )
        checks, null_gradients = pickle.loads(path.read_bytes())
        return Comparison(spec, checks, null_gradients)

    def _compared(self, spec: Spec, steps: int, whole: bool) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            paths = [
                cases.record_of(
                    backend, spec, Path(folder) / backend.name, steps=steps, whole=whole
                )
                for backend in self._backends
            ]
            with record.read(paths[0]) as a, record.read(paths[1]) as b:
                found = compare.compare(a, b)
                null_gradients = tuple(entry.parameter for entry in found.null_gradients)
                return pickle.dumps((found.checks, null_gradients))
