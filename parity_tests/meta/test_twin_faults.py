"""Faults injected into the PyTorch twins are found at their rung and in their layer."""

from __future__ import annotations

import contextlib
import dataclasses
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
from parity_tests.support import cases
from parity_tests.support.fault import Fault, Twins
from parity_tests.support.selection import first_of_each
from parity_tests.support.shared import Shared

STEPS = 6
"""The fifth step's batch is a short one, the sixth begins the second epoch."""

AT_LEAST = 60
"""Different faults that there must be."""

TwinFault = Fault[Twins]
Recorded = Callable[[TwinFault, Spec], Path]

SELECTED = first_of_each(
    [(fault,) for fault in FAULTS],
    lambda fault: fault.name,
    lambda fault: (fault.rung, fault.dtype),
    lambda fault: "-".join((fault.name, *dataclasses.astuple(fault.models)[:3])),
)
"""Each fault in one model, with Keras 3 one fault of each rung; with ``--full`` all in all models.

Faults are injected into the PyTorch twin, whichever Keras it is compared with.
"""


def spec_of(models: Twins, flavour: str) -> Spec:
    """The spec of a model and its training."""
    names = (models.family, models.variant, models.optimizer)
    return cases.spec_of(*names, flavour=flavour, **cases.recipe(models.recipe))


@pytest.fixture(scope="session")
def keras_records(keras_backend: Backend, shared: Shared) -> Recorded:
    """The Keras record of a model, made once for all faults of that model."""

    def recorded(fault: TwinFault, spec: Spec) -> Path:
        dtypes, whole = dtypes_of(fault), fault.models.recipe in cases.WHOLE
        driven = fault.name if fault.drive else ""
        key = ("keras", json.dumps(spec.to_json()), dtypes, STEPS, whole, driven)
        return shared.file(
            key, lambda path: cases.record_of(keras_backend, spec, path, dtypes, STEPS, whole=whole)
        )

    return recorded


def dtypes_of(fault: TwinFault) -> tuple[str, ...]:
    """The dtypes to record."""
    return DTYPES if fault.dtype == "float32" else ("float64",)


def replay_of(backend: Backend, teacher: Record, path: Path) -> Path:
    """Record the backend's layers, each with the input of the teacher's layer."""
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
@pytest.mark.parametrize("fault", SELECTED)
def test_fault_is_found_at_its_rung_and_layer(
    fault: TwinFault,
    flavour: str,
    monkeypatch: pytest.MonkeyPatch,
    keras_records: Recorded,
    torch_backend: Backend,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """The verdict is DIFFERENT, and the first divergence has the dtype, rung, layer and step."""
    spec = spec_of(fault.models, flavour)
    if fault.drive:
        fault.drive(monkeypatch)
    keras_record = keras_records(fault, spec)
    assert fault.inject
    fault.inject(monkeypatch)
    torch_record = tmp_path / "torch"
    whole = fault.models.recipe in cases.WHOLE
    cases.record_of(torch_backend, spec, torch_record, dtypes_of(fault), STEPS, whole=whole)
    with contextlib.ExitStack() as opened:
        a, b = (opened.enter_context(record.read(path)) for path in (keras_record, torch_record))
        comparison = compare.compare(a, b)
        in_a_layer = comparison.in_a_layer
        if in_a_layer:
            own = replay_of(torch_backend, a, tmp_path / "replay")
            comparison = compare.compare(a, b, opened.enter_context(record.read(own)))
    found = comparison.first
    outcome: dict[str, object] = {
        "detected": not comparison.same,
        "rung": bool(found and (found.dtype, found.rung) == (fault.dtype, fault.rung)),
        "layer": bool(found and (found.location, found.step) == (fault.layer, fault.step)),
    }
    record_property("fault", {"name": fault.name, **outcome})  # before the asserts: misses count
    assert all(outcome.values()), (outcome, found)
    if in_a_layer and found.location not in ("data", "loss"):
        assert comparison.first_replayed
        assert not comparison.first_replayed.ok, "with Keras's input as its own, the layer agrees"


def test_there_are_enough_faults() -> None:
    """There are many different faults, and none is in the table twice."""
    assert len({fault.name for fault in FAULTS}) >= AT_LEAST
    assert len({(fault.name, fault.models) for fault in FAULTS}) == len(FAULTS)


@pytest.mark.flavour
def test_without_a_fault_nothing_is_found(
    flavour: str, keras_records: Recorded, torch_backend: Backend, tmp_path: Path
) -> None:
    """The same procedure without a fault reports SAME."""
    twins = Twins("cnn", "bn-c1-k3-s1-n8", "adam")
    spec = spec_of(twins, flavour)
    keras_record = keras_records(Fault(name="none", models=twins), spec)
    torch_record = cases.record_of(torch_backend, spec, tmp_path / "torch", ("float64",), STEPS)
    with record.read(keras_record) as a:
        own = replay_of(torch_backend, a, tmp_path / "replay")
        with record.read(torch_record) as b, record.read(own) as replayed:
            comparison = compare.compare(a, b, replayed)
    assert comparison.same
    assert comparison.first is None
    assert comparison.replayed
    assert all(check.ok for check in comparison.replayed)
