"""The ladder can fail: faults planted in the PyTorch twin are found at their rung and layer."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from parity.adapters.backend import Backend
from parity.constants import DTYPES
from parity.ladder import record, replay
from parity.ladder.header import create_header
from parity.ladder.record import Record
from parity.specs.run import Spec
from parity.system.memory import PeakMemory
from parity.verdict import compare
from parity_tests.meta.faults import FAULTS
from parity_tests.meta.planting import Case, Fault
from parity_tests.support import cases
from parity_tests.support.selection import first_of_each
from parity_tests.support.shared import Shared

STEPS = 6
"""The fifth step's batch is a short one, the sixth begins the second pass."""

AT_LEAST = 60


PLANTED = first_of_each(
    [(fault, case) for fault in FAULTS for case in fault.cases],
    lambda fault, case: fault.name,
    lambda fault, case: (fault.rung, fault.dtype),
    lambda fault, case: f"{fault.name}-{case.family}-{case.variant}-{case.optimizer}",
)
"""Each fault in one model, with Keras 3 one fault of each rung; with ``--full`` all in all models.

It is PyTorch's twin that they are planted in, whichever Keras it is compared with.
"""


Recorded = Callable[[Fault, Case, Spec], Path]


@pytest.fixture(scope="session")
def keras_records(keras_backend: Backend, shared: Shared) -> Recorded:
    """The Keras record of a model, made once for all faults that are planted in it."""

    def recorded(fault: Fault, case: Case, spec: Spec) -> Path:
        dtypes, whole = dtypes_of(fault), case.recipe in cases.WHOLE
        driven = fault.name if fault.drive else ""
        key = ("keras", json.dumps(spec.to_json()), dtypes, STEPS, whole, driven)
        return shared.file(
            key, lambda path: cases.record_of(keras_backend, spec, path, dtypes, STEPS, whole=whole)
        )

    return recorded


def dtypes_of(fault: Fault) -> tuple[str, ...]:
    return DTYPES if fault.dtype == "float32" else ("float64",)


def replay_of(backend: Backend, teacher: Record, path: Path) -> Path:
    """The backend's layers, each fed what the teacher's was."""
    spec = teacher.header.spec
    peak = PeakMemory()
    replayed = replay.replay(backend, teacher, cases.splits_of(spec)[0])
    header = create_header(
        "replay",
        backend,
        spec,
        steps=0,
        dtypes=("float64",),
        device="cpu",
        ladder=replayed,
        peak=peak,
        teacher=teacher.sha256,
    )
    record.write(path, header, replayed.tensors)
    return path


@pytest.mark.flavour
@pytest.mark.parametrize(("fault", "case"), PLANTED)
def test_fault_is_found_at_its_rung_and_layer(
    fault: Fault,
    case: Case,
    flavour: str,
    monkeypatch: pytest.MonkeyPatch,
    keras_records: Recorded,
    torch_backend: Backend,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """The verdict is DIFFERENT, and the first divergence names dtype, rung, layer and step."""
    spec = cases.spec_of(
        case.family,
        case.variant,
        case.optimizer,
        flavour=flavour,
        **cases.recipe(case.recipe),
    )
    if fault.drive:
        fault.drive(monkeypatch)
    k = keras_records(fault, case, spec)
    fault.plant(monkeypatch)
    whole = case.recipe in cases.WHOLE
    t = cases.record_of(torch_backend, spec, tmp_path / "t", dtypes_of(fault), STEPS, whole=whole)
    with contextlib.ExitStack() as opened:
        a, b = (opened.enter_context(record.read(path)) for path in (k, t))
        comparison = compare.compare(a, b)
        in_a_layer = comparison.in_a_layer
        if in_a_layer:
            own = replay_of(torch_backend, a, tmp_path / "own")
            comparison = compare.compare(a, b, opened.enter_context(record.read(own)))
    found = comparison.first
    outcome: dict[str, object] = {
        "detected": not comparison.same,
        "rung": bool(found and (found.dtype, found.rung) == (fault.dtype, fault.rung)),
        "layer": bool(found and (found.location, found.step) == (case.part, case.step)),
    }
    record_property("fault", {"name": fault.name, **outcome})  # before the asserts: misses count
    assert all(outcome.values()), (outcome, found)
    if in_a_layer and found.location not in ("data", "loss"):
        assert comparison.first_replayed
        assert not comparison.first_replayed.ok, "fed Keras's own input, the layer agrees"


def test_there_are_enough_faults() -> None:
    """Each has a name of its own, and a model to be planted in."""
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= AT_LEAST
    assert all(fault.cases for fault in FAULTS)


@pytest.mark.flavour
def test_without_a_fault_nothing_is_found(
    flavour: str, keras_records: Recorded, torch_backend: Backend, tmp_path: Path
) -> None:
    """The same procedure with nothing planted says SAME: it is the fault that is found."""
    case = Case("cnn", "bn-c1-k3-s1-n8", "", "adam")
    nothing = Fault("none", "", lambda patch: None, (case,))
    spec = cases.spec_of(case.family, case.variant, case.optimizer, flavour=flavour)
    k = keras_records(nothing, case, spec)
    t = cases.record_of(torch_backend, spec, tmp_path / "t", ("float64",), STEPS)
    with record.read(k) as a:
        own = replay_of(torch_backend, a, tmp_path / "own")
        with record.read(t) as b, record.read(own) as replayed:
            comparison = compare.compare(a, b, replayed)
    assert comparison.same
    assert comparison.first is None
    assert comparison.replayed
    assert all(check.ok for check in comparison.replayed)
