"""Both implementations of a spec, checked as a pair: the causes of what their records show."""

from __future__ import annotations

from collections.abc import Callable

from parity.adapters import backend
from parity.adapters.backend import Backend, Settings
from parity.data import batches
from parity.data.batches import Batch
from parity.data.datasets import Split
from parity.errors import ParityError
from parity.pairs.check import check
from parity.report.report import Report
from parity.specs.run import Spec
from parity.verdict.compare import Comparison
from parity.verdict.result import UNKNOWN, Cause

STEPS = 10
"""Optimizer steps of a check at most; a record may hold thousands."""


def first_batch(spec: Spec, train: Split) -> Batch:
    """The examples of the first optimizer step."""
    return next(batches.chunks(spec, len(train.x), 1, 1)).first_batch(train)


def check_twins(
    keras: Backend, torch: Backend, spec: Spec, batch: Batch, steps: int = STEPS
) -> Report:
    """Check the two implementations of a spec, with its loss and optimizer, from its probe weights.

    Each implementation loads the weights itself, so that what it does to them is checked as well.

    Args:
        keras: the Keras implementation.
        torch: the PyTorch implementation.
        spec: the model and its training.
        batch: of every step; its random draws are not used, both draw shared numbers instead.
        steps: of the optimizer.

    Raises:
        ParityError: a model cannot be built or called.
    """
    k, t = keras.pair_member(spec), torch.pair_member(spec)
    inputs = [batch.x] if batch.lengths is None else [batch.x, batch.lengths]
    return check(
        k.model,
        t.model,
        inputs,
        torch_inputs=inputs,
        targets=batch.y,
        loss=(k.loss, t.loss),
        optimizer=(k.optimizer, t.optimizer),
        weights="as-is",
        steps=steps,
        float32=False,
    )


def causes_of(
    comparison: Comparison, threads: int, train_of: Callable[[Spec], Split]
) -> tuple[Cause, ...]:
    """The proven causes of a difference in float64 between the records of the two implementations.

    Args:
        comparison: of their records.
        threads: of the implementations, which run in this process.
        train_of: the training examples of a spec.

    Returns:
        Causes with their proof; none where the check finds none, or cannot run here.
    """
    first, header = comparison.first, comparison.reference.header
    names = header.backend, comparison.other.header.backend
    if first is None or first.dtype != "float64" or set(names) != {"keras", "torch"}:
        return ()
    settings = Settings(header.spec.model.flavour, threads=threads)
    try:
        keras, torch = (backend.load(name, settings) for name in ("keras", "torch"))
        batch = first_batch(header.spec, train_of(header.spec))
        steps = max(1, min(STEPS, header.steps))
        found = check_twins(keras, torch, header.spec, batch, steps).causes
    except ParityError:
        return ()
    return tuple(one for one in found if one.id != UNKNOWN and one.proof)
