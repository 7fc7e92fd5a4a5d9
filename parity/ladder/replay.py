"""Replay: run each layer separately, with the inputs of another record's layer."""

from __future__ import annotations

import numpy as np

from parity import rungs
from parity.adapters.backend import Backend
from parity.data import batches
from parity.data.datasets import Split
from parity.errors import ParityError
from parity.ladder import contents
from parity.ladder.climb import Ladder
from parity.ladder.record import Record
from parity.specs import weights


def replay(backend: Backend, teacher: Record, train: Split) -> Ladder:
    """Run each layer separately, with the inputs that the teacher's layer had.

    The forward passes start from the teacher's layer inputs, the backward pass from its gradients
    of layer outputs, for the first batch and with the probe weights. The tensors have the names of
    the ladder's.

    Args:
        backend: the implementation whose layers run.
        teacher: a ladder record with float64.
        train: the teacher's training examples, in the model's form.

    Raises:
        ParityError: a tensor of the teacher is missing, or has another shape or dtype.
    """
    spec = teacher.header.spec
    model = backend.create(spec, "float64")
    model.set_weights(weights.probe_weights(spec.model, spec.training.seed))
    plan = next(batches.chunks(spec, len(train.x), 1, 1))
    batch = plan.first_batch(train)
    inputs: dict[str, dict[str, np.ndarray]] = {rung: {} for rung in (*rungs.FORWARD, "gradients")}
    for name, (shape, stored) in contents.expected(teacher.header, "float64").items():
        _, rung, rest = rungs.split(name)
        if rung in inputs:
            whole = tuple(len(batch.x) if length is None else length for length in shape)
            if (found_as := contents.form_of(teacher, name)) != (whole, stored):
                raise ParityError(
                    f"{teacher.path}: {name}: received {found_as or 'nothing'}, "
                    f"accepted: {(whole, stored)}"
                )
            inputs[rung][rest] = teacher.tensor(name)
    found: dict[str, np.ndarray] = {}
    for rung, training in rungs.FORWARD.items():
        outputs = model.replay(batch, training, inputs[rung])
        found.update(rungs.with_prefix(rung, batch.zero_padding(outputs)))
    back = model.replay_gradients(batch, inputs["forward_train"], inputs["gradients"])
    found.update(rungs.with_prefix("gradients", batch.zero_padding(back)))
    return Ladder(
        tensors={rungs.join("float64", name): value for name, value in found.items()},
        layers=model.layers(),
        trainable=tuple(sorted(model.trainable())),
        counts=model.counts(),
    )
