"""Every layer by itself, fed what another record's layer was."""

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
    """Every layer by itself, fed what the teacher's layer was: tensors named as the ladder's.

    Forward from the teacher's inputs, and back from its gradients of the layers' outputs, at the
    first batch and from the probe weights.

    Args:
        backend: whose layers run.
        teacher: a ladder record that holds float64.
        train: the teacher's training examples, as the model takes them.

    Raises:
        ParityError: the teacher lacks a tensor, or has it in another form than the spec's.
    """
    spec = teacher.header.spec
    model = backend.create(spec, "float64")
    model.set_weights(weights.probe_weights(spec.model, spec.training.seed))
    plan = next(batches.chunks(spec, len(train.x), 1, 1))
    batch = plan.first_batch(train)
    given: dict[str, dict[str, np.ndarray]] = {rung: {} for rung in (*rungs.FORWARD, "gradients")}
    for name, (shape, stored) in contents.expected(teacher.header, "float64").items():
        _, rung, rest = rungs.split(name)
        if rung in given:
            whole = tuple(len(batch.x) if length is None else length for length in shape)
            if (found_as := contents.form_of(teacher, name)) != (whole, stored):
                raise ParityError(
                    f"{teacher.path}: {name}: received {found_as or 'nothing'}, "
                    f"accepted: {(whole, stored)}"
                )
            given[rung][rest] = teacher.tensor(name)
    found: dict[str, np.ndarray] = {}
    for rung, training in rungs.FORWARD.items():
        outputs = model.replay(batch, training, given[rung])
        found.update(rungs.with_prefix(rung, batch.zero_padding(outputs)))
    back = model.replay_gradients(batch, given["forward_train"], given["gradients"])
    found.update(rungs.with_prefix("gradients", batch.zero_padding(back)))
    return Ladder(
        tensors={rungs.join("float64", name): value for name, value in found.items()},
        layers=model.layers(),
        trainable=tuple(sorted(model.trainable())),
        counts=model.counts(),
    )
