"""Climb the ladder with one backend and keep what every rung leaves."""

from __future__ import annotations

import itertools
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity import batches, losses, metrics, randomness, rungs, tolerance
from parity.backend import Backend, Model
from parity.batches import Batch, Chunk
from parity.data import Split
from parity.memory import PeakMemory
from parity.record import Header
from parity.specs.run import Spec

ENSEMBLE = 6
"""Members of the float32 ensemble from weights moved by one ulp; others come from thread counts."""

NULL_BATCHES = 10
"""Batches that a gradient must be negligible in to count as null."""

TIMED_REPEATS = 3


@dataclass
class Ladder:
    """What a climb leaves: tensors by name, and figures about them.

    Attributes:
        tensors: name (see :mod:`parity.rungs`) to canonical array.
        rounding: float32 tensor name to the largest RMS distance of an ensemble member from it.
        trainable: canonical names that the framework trains.
        counts: parameters, ``total`` and ``trainable``, as the framework itself counts them.
        null_gradients: parameters whose float64 gradient is rounding alone, with its largest entry.
        results: test accuracy and test loss by dtype.
        timings: seconds by name.
    """

    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    rounding: dict[str, float] = field(default_factory=dict)
    trainable: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    null_gradients: dict[str, float] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)


def climbs(backend: Backend, dtypes: tuple[str, ...]) -> int:
    """How many times :func:`climb` goes up the ladder, for progress bars."""
    members = ENSEMBLE + len(backend.thread_counts())
    return len(dtypes) + (members if "float32" in dtypes else 0)


def climb(
    backend: Backend,
    spec: Spec,
    train: Split,
    test: Split,
    dtypes: tuple[str, ...],
    steps: int,
    advance: Callable[[str], None] = lambda _: None,
) -> Ladder:
    """Every rung in every dtype, from the same probe weights, batches and masks.

    Args:
        backend: the implementation.
        spec: the run; its batch size and seed fix the batches.
        train: examples as the model takes them (:func:`parity.examples.fit`).
        test: likewise, for the predictions.
        dtypes: what to compute in; float32 also runs the ensemble.
        steps: optimizer steps of the k-step rung.
        advance: called with a description after each climb.
    """
    ladder = Ladder()
    start = randomness.probe_weights(spec.model, spec.training.seed)
    plan = list(batches.chunks(spec, len(train.x), steps, steps))
    for dtype in dtypes:
        began = time.perf_counter()
        model = backend.create(spec, dtype)
        model.feed(train)
        model.set_weights(start)
        if dtype == "float64":
            ladder.null_gradients = _null_gradients(model, plan, train)
        model.still(frozenset(ladder.null_gradients))
        found = _rungs(model, spec, start, plan, train, test)
        ladder.trainable = tuple(sorted(model.trainable()))
        ladder.counts = model.counts()
        ladder.tensors.update({rungs.join(dtype, name): value for name, value in found.items()})
        ladder.results[dtype] = {
            name: float(found[f"predictions/{name}"]) for name in ("accuracy", "loss")
        }
        advance(dtype)
        if dtype == "float32":
            ladder.timings["step"] = _time_per_step(model, plan)
            for member in range(ENSEMBLE):
                moved = randomness.ulp_neighbour(start, spec.training.seed, member)
                _spread(ladder.rounding, found, _rungs(model, spec, moved, plan, train, test))
                advance(f"{dtype}, from weights one ulp away")
            own = backend.threads()["intra_op"]
            for count in backend.thread_counts():
                backend.use_threads(count)
                _spread(ladder.rounding, found, _rungs(model, spec, start, plan, train, test))
                backend.use_threads(own)
                advance(f"{dtype}, with {count} threads")
        ladder.timings[dtype] = time.perf_counter() - began
    return ladder


def _rungs(
    model: Model,
    spec: Spec,
    start: Mapping[str, np.ndarray],
    plan: list[Chunk],
    train: Split,
    test: Split,
) -> dict[str, np.ndarray]:
    """One climb: tensor name without the dtype to array."""
    model.set_weights(start)
    model.reset_optimizer()
    batch = plan[0].first_batch(train)
    found: dict[str, np.ndarray] = {}
    found.update(_named("parameters", model.weights()))
    for rung, training in (("forward_eval", False), ("forward_train", True)):
        traced = model.trace(batch, training)
        found.update(_named(rung, {name: _unpadded(x, batch) for name, x in traced.items()}))
    found["loss/loss"] = np.asarray(model.loss(batch))
    found.update(_named("gradients", model.gradients(batch)))

    step_losses = [model.train(plan[0].part(0, 1))]
    found.update(_named("step/weights", model.weights()))
    found.update(_named("step/slots", model.slots()))

    for chunk in (plan[0].part(1), *plan[1:]):
        if chunk.steps:
            step_losses.append(model.train(chunk))
    found["steps/losses"] = np.concatenate(step_losses)
    found.update(_named("steps/weights", model.weights()))

    outputs = model.outputs(test)
    predicted = metrics.labels(spec.model, outputs)
    found["predictions/outputs"] = outputs
    found["predictions/labels"] = predicted
    found["predictions/accuracy"] = np.asarray(metrics.accuracy(predicted, test.y))
    found["predictions/loss"] = np.asarray(
        losses.reference_loss(spec.model, test.y, outputs.astype(np.float64))
    )
    return found


def _null_gradients(model: Model, plan: list[Chunk], train: Split) -> dict[str, float]:
    """Parameters whose gradient is rounding alone in every batch looked at, with its largest entry.

    Rounding may come to an exact zero in one batch, but hardly in all; what is exactly zero in all
    has no rounding to magnify.
    """
    largest: dict[str, float] = {}
    candidates: frozenset[str] | None = None
    batches_ahead = (
        chunk.part(step).first_batch(train) for chunk in plan for step in range(chunk.steps)
    )
    for batch in itertools.islice(batches_ahead, NULL_BATCHES):
        found = {name: float(abs(g).max()) for name, g in model.gradients(batch).items()}
        negligible = tolerance.negligible_gradients(found)
        candidates = negligible if candidates is None else candidates & negligible
        for name in candidates:
            largest[name] = max(largest.get(name, 0.0), found[name])
        if not candidates:
            break
    return {name: largest[name] for name in sorted(candidates or ()) if largest[name]}


def _named(prefix: str, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{prefix}/{name}": value for name, value in values.items()}


def _unpadded(output: np.ndarray, batch: Batch) -> np.ndarray:
    """Put zeros beyond each sequence's length: Keras repeats itself there, and none reads it."""
    if batch.lengths is None or output.ndim != 3:
        return output
    valid = np.arange(output.shape[1]) < batch.lengths[:, None]
    return np.where(valid[:, :, None], output, output.dtype.type(0))


def _spread(
    rounding: dict[str, float], base: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]
) -> None:
    """Widen ``rounding`` to the RMS distance between a member's tensors and the base run's."""
    for name, value in base.items():
        if value.dtype.kind != "f":
            continue
        away = other[name].astype(np.float64) - value.astype(np.float64)
        key = rungs.join("float32", name)
        rms = float(np.sqrt(np.mean(away**2)))
        rounding[key] = float(np.maximum(rounding.get(key, 0.0), rms))  # which keeps a NaN


def _time_per_step(model: Model, plan: list[Chunk]) -> float:
    """Median seconds per optimizer step over the plan's first chunk, compiled and warm."""
    seconds = []
    for _ in range(TIMED_REPEATS):
        began = time.perf_counter()
        model.train(plan[0])
        seconds.append((time.perf_counter() - began) / plan[0].steps)
    return statistics.median(seconds)


def machine() -> dict[str, Any]:
    """What it ran on, for the record."""
    return {
        "system": platform.platform(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def header(
    kind: str,
    backend: Backend,
    spec: Spec,
    *,
    steps: int,
    dtypes: tuple[str, ...],
    device: str,
    ladder: Ladder,
    peak: PeakMemory,
) -> Header:
    """The header of a record made in this process."""
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
        dtypes=dtypes,
        versions=versions,
        platform=machine(),
        threads=backend.threads(),
        device=device,
        timings=ladder.timings,
        peak_memory=peak.bytes(),
        results=ladder.results,
        rounding=ladder.rounding,
        trainable=ladder.trainable,
        counts=ladder.counts,
        null_gradients=ladder.null_gradients,
        notes=tuple(backend.notes(spec)),
    )
