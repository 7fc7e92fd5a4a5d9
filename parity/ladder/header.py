"""Creation of a record's header from the results of a run in this process."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from parity.adapters.backend import Backend
from parity.ladder.climb import Ladder
from parity.ladder.record import Header
from parity.specs.run import Spec
from parity.system.memory import PeakMemory


def machine() -> dict[str, Any]:
    """Return the system, machine and Python version."""
    return {
        "system": platform.platform(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def create_header(
    kind: str,
    backend: Backend,
    spec: Spec,
    *,
    steps: int,
    dtypes: tuple[str, ...],
    device: str,
    ladder: Ladder,
    peak: PeakMemory,
    seeds: int = 1,
    epochs: int = 0,
    teacher: str = "",
) -> Header:
    """Create a header; for the fields see :class:`parity.ladder.record.Header`.

    Args:
        kind: of the record.
        backend: the implementation that ran.
        spec: the run.
        steps: number of optimizer steps.
        dtypes: recorded dtypes.
        device: value of ``--device``.
        ladder: figures and layer names.
        peak: created before the run.
        seeds: number of seeds that float32 was trained from.
        epochs: epochs of the training after the ladder, if any.
        teacher: for a replay, the checksum of the teacher's tensors.
    """
    import safetensors

    import parity

    versions = {
        "keras-torch-parity": parity.__version__,
        "numpy": np.__version__,
        "safetensors": safetensors.__version__,
        **backend.versions(),
    }
    return Header(
        kind=kind,
        backend=backend.name,
        spec=spec,
        steps=steps,
        seeds=seeds,
        epochs=epochs,
        teacher=teacher,
        dtypes=dtypes,
        versions=versions,
        platform=machine(),
        threads=backend.threads(),
        device=device,
        timings=ladder.timings,
        peak_memory=peak.bytes(),
        results=ladder.results,
        rounding=ladder.rounding,
        layers=ladder.layers,
        trainable=ladder.trainable,
        counts=ladder.counts,
        null_gradients=ladder.null_gradients,
        notes=tuple(backend.notes(spec, dtypes)),
    )
