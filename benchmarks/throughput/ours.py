"""This project's own training, as ``python -m keras_impl train`` and its twin run it."""

from __future__ import annotations

import os
from collections.abc import Callable

from benchmarks.throughput.workloads import CLASSES, Workload
from parity import batches, fitting
from parity.backend import Settings, load
from parity.data import Split
from parity.optimizers.spec import OptimizerSpec
from parity.specs.registry import MODELS
from parity.specs.run import DataSpec, Spec, TrainingSpec


def spec_of(workload: Workload, flavour: str = "tf_keras") -> Spec:
    """The workload in the project's terms."""
    fields = {"input_shape": workload.shape, "classes": CLASSES, "flavour": flavour}
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


def train(backend_name: str, flavour: str = "tf_keras"):
    """Chunks of steps, drawn ahead."""

    def prepare(workload: Workload) -> Callable[[], None]:
        os.environ["PARITY_FLAVOUR"] = flavour
        spec = spec_of(workload, flavour)
        model = load(backend_name, Settings(flavour)).create(spec, "float32")
        x, y, lengths = workload.data()
        if lengths is None and workload.cell:
            pass
        model.feed(Split(x, y, lengths))
        done = 0

        def epoch() -> None:
            nonlocal done
            for chunk in batches.chunks(
                spec, len(x), done + workload.steps, fitting.CHUNK_STEPS, done
            ):
                model.train(chunk)
            done += workload.steps

        return epoch

    return prepare
