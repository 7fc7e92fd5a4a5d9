"""This project's training, as in ``python -m keras_impl train`` and ``torch_impl train``."""

from __future__ import annotations

import os
from typing import Any

from benchmarks.throughput.workloads import CLASSES, Round, Workload
from parity.adapters.backend import Settings, load
from parity.data import batches
from parity.data.datasets import Split
from parity.ladder import fit
from parity.reference.optimizers.spec import OptimizerSpec
from parity.specs.registry import MODELS
from parity.specs.run import Spec
from parity.specs.training import DataSpec, TrainingSpec


def spec_of(workload: Workload, flavour: str = "tf_keras") -> Spec:
    """The workload as a spec of this project."""
    fields: dict[str, Any] = {"input_shape": workload.shape, "classes": CLASSES, "flavour": flavour}
    if workload.cell:
        fields |= {"cell": workload.cell, "units": workload.units}
        fields |= {"variable_length": workload.masked}
    else:
        fields["hidden"] = workload.hidden
    if workload.channels:
        fields |= {"channels": workload.channels, "batch_norm": workload.batch_norm}
        fields |= {"spatial_rate": workload.rate}
    elif workload.rate:
        fields["rate"] = workload.rate
    return Spec(
        family=workload.family,
        model=MODELS[workload.family](**fields),
        optimizer=OptimizerSpec(),
        training=TrainingSpec(batch_size=workload.batch),
        data=DataSpec(name="benchmark", size="full", sha256=""),
    )


def train(workload: Workload, implementation: str, flavour: str = "tf_keras") -> Round:
    """The chunks of steps of ``train``, drawn in advance, epoch by epoch."""
    os.environ["PARITY_FLAVOUR"] = flavour
    spec = spec_of(workload, flavour)
    model = load(implementation, Settings(flavour)).create(spec, "float32")
    x, y, lengths = workload.data(long=True)
    model.feed(Split(x, y, lengths))
    done = 0

    def steps() -> None:
        nonlocal done
        until = done + workload.steps
        for chunk in batches.chunks(spec, len(x), until, fit.CHUNK_STEPS, done):
            model.train(chunk)
        done = until

    return steps
