"""The header of a record made in this process: what ran, on what, with which figures."""

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
    """What it ran on, for the record."""
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
    """The header.

    Args:
        kind: of the record.
        backend: that ran.
        spec: the run.
        steps: optimizer steps taken.
        dtypes: recorded.
        device: as the command line spells it.
        ladder: figures and names to keep.
        peak: started before the work.
        seeds: trained from.
        epochs: of a whole training behind the ladder.
        teacher: of a replay, its checksum.
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
