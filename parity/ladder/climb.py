"""Run every rung of the ladder with one backend, and collect the resulting tensors."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity import rungs
from parity.adapters.backend import Backend, Model
from parity.data import batches
from parity.data.batches import Chunk
from parity.data.datasets import Split
from parity.ladder import whole_training
from parity.ladder.null_gradients import measure_null_gradients
from parity.ladder.record import Record
from parity.numerics import random, tolerance
from parity.numerics.ensemble import spread
from parity.specs import objective, weights
from parity.specs.predictions import accuracy, labels
from parity.specs.run import Spec

TIMED_REPEATS = 3
"""Repetitions of the timing of a step, of which the median is recorded."""

FEW_STEPS = 20
"""Up to this number, all steps record details: compiling a second graph would take longer."""


@dataclass
class Ladder:
    """The result of running the ladder: tensors by name, and figures about them.

    Attributes:
        tensors: name (see :mod:`parity.rungs`) to canonical array.
        rounding: tensor name to the largest distance of an ensemble member from it
            (see :func:`parity.numerics.ensemble.spread`).
        layers: the framework's name of each layer, by canonical name.
        trainable: canonical names that the framework trains.
        counts: the framework's own parameter counts: ``total``, ``trainable``, and the trainable
            ones of each layer by canonical name.
        null_gradients: parameters whose float64 gradient is only rounding error, with its largest
            entry.
        results: test accuracy and test loss by dtype.
        timings: seconds by name.
    """

    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    rounding: dict[str, float] = field(default_factory=dict)
    layers: dict[str, str] = field(default_factory=dict)
    trainable: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    null_gradients: dict[str, float] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)


def climbs(backend: Backend, dtypes: tuple[str, ...], steps: int, seeds: int = 1) -> int:
    """Return how often :func:`climb` runs the ladder, for progress bars."""
    members = {"float64": len(_members("float64", steps)), "float32": seeds - 1}
    members["float32"] += len(_members("float32", steps)) + len(backend.thread_counts())
    return sum(1 + members[dtype] for dtype in dtypes)


def _members(dtype: str, steps: int) -> range:
    """Return the ensemble members; float64 has none unless the ladder has many steps."""
    if dtype == "float64":
        return range(tolerance.ENSEMBLE if steps > tolerance.STEPS else 0)
    return range(tolerance.ENSEMBLE)


def climb(
    backend: Backend,
    spec: Spec,
    train: Split,
    test: Split,
    dtypes: tuple[str, ...],
    steps: int,
    *,
    seeds: int = 1,
    ensemble: bool = True,
    whole: bool = False,
    advance: Callable[[str], None] = lambda _: None,
) -> Ladder:
    """Run every rung in every dtype, from the same probe weights, batches and random draws.

    Args:
        backend: the implementation.
        spec: the run; its batch size and seed determine the batches.
        train: training examples in the model's form (:func:`parity.data.examples.for_model`).
        test: test examples in the same form.
        dtypes: to run in.
        steps: optimizer steps of the k-step rung.
        seeds: number of seeds that float32 is trained from, starting at the spec's.
        ensemble: whether to measure the effect of rounding with an ensemble; without it the
            tolerance of float32 and of long ladders is not known.
        whole: whether to also train from the initial weights to the last epoch, in float64.
        advance: called with a description after each run of the ladder, and after each epoch.
    """
    ladder = Ladder()
    start = weights.probe_weights(spec.model, spec.training.seed)
    plan = batches.sample(spec, len(train.x), steps)
    for dtype in ("float64", *(dtype for dtype in dtypes if dtype != "float64")):
        began = time.perf_counter()
        model = backend.create(spec, dtype)
        model.feed(train)
        model.set_weights(start)
        if dtype == "float64":  # even if only float32 is recorded
            ladder.null_gradients = measure_null_gradients(model, plan, train)
            if dtype not in dtypes:
                continue
        model.ignore_gradients(frozenset(ladder.null_gradients))

        found = _rungs(model, spec, start, plan, train, test, detailed=dtype == "float64")
        ladder.layers, ladder.counts = model.layers(), model.counts()
        ladder.trainable = tuple(sorted(model.trainable()))
        ladder.results[dtype] = {
            name: float(found[f"predictions/{name}"]) for name in ("accuracy", "loss")
        }
        advance(dtype)
        if dtype == "float32":
            ladder.timings["step"] = _time_per_step(model, plan)
        if whole and dtype == "float64":
            trained = whole_training.trained(model, spec, train, test, advance)
            found.update(rungs.with_prefix(rungs.TRAINING, trained))
            ladder.results[dtype]["whole"] = whole_training.scores(spec, trained, test)
        if ensemble:
            for member in _members(dtype, steps):
                other = _member(model, spec, member, dtype, start, plan, train, test)
                spread(ladder.rounding, dtype, found, other)
                advance(f"{dtype}, from weights one ulp away")
        if ensemble and dtype == "float32":
            own = backend.threads()["intra_op"]
            for count in backend.thread_counts():
                backend.use_threads(count)
                again = _rungs(model, spec, start, plan, train, test)
                spread(ladder.rounding, dtype, found, again)
                backend.use_threads(own)
                advance(f"{dtype}, with {count} threads")
        if seeds > 1 and dtype == "float32":
            found.update(_over_seeds(model, spec, seeds, found, steps, train, test, advance))
        ladder.tensors.update({rungs.join(dtype, name): value for name, value in found.items()})
        ladder.timings[dtype] = time.perf_counter() - began
    return ladder


def widen(ladder: Ladder, member: Record) -> None:
    """Add the float32 tensors of another process's record, from the same start, to the ensemble."""
    start = rungs.join("float32", "")
    base, other = (
        {name.removeprefix(start): get(name) for name in names if name.startswith(start)}
        for names, get in (
            (ladder.tensors, ladder.tensors.__getitem__),
            (member.names, member.tensor),
        )
    )
    spread(ladder.rounding, "float32", base, other)


def _rungs(
    model: Model,
    spec: Spec,
    start: Mapping[str, np.ndarray],
    plan: list[Chunk],
    train: Split,
    test: Split,
    detailed: bool = False,
) -> dict[str, np.ndarray]:
    """Run the ladder once and return its arrays, by tensor name without the dtype.

    ``detailed`` adds tensors that only serve to find the first difference.
    """
    model.set_weights(start)
    model.reset_optimizer()
    batch = plan[0].first_batch(train)
    found: dict[str, np.ndarray] = {}
    found.update(rungs.with_prefix("parameters", model.weights()))
    for rung, training in rungs.FORWARD.items():
        found.update(rungs.with_prefix(rung, batch.zero_padding(model.trace(batch, training))))
    found["loss/loss"] = np.asarray(model.loss(batch))
    gradients = batch.zero_padding(model.gradients(batch, detailed))
    found.update(rungs.with_prefix("gradients", gradients))
    found.update(_steps(model, plan, detailed))
    found.update(rungs.with_prefix("predictions", _predictions(model, spec, test)))
    return found


def _member(
    model: Model,
    spec: Spec,
    member: int,
    dtype: str,
    start: Mapping[str, np.ndarray],
    plan: list[Chunk],
    train: Split,
    test: Split,
) -> dict[str, np.ndarray]:
    """Run the ladder with other rounding errors; outputs are returned in the original order.

    Every weight is changed by one ulp, and the examples of each batch are in another order. The
    order affects sums only by rounding, which in some kernels is far more than a weight's last bit.
    """
    seed = spec.training.seed
    neighbour = random.ulp_neighbour(start, seed, member, dtype)
    places = [random.row_order(seed, member, chunk.order.shape[1]) for chunk in plan]
    reordered = [chunk.reordered(rows) for chunk, rows in zip(plan, places, strict=True)]
    found = _rungs(model, spec, neighbour, reordered, train, test)
    back = np.argsort(places[0])
    by_example = tuple(f"{rung}/" for rung in rungs.FORWARD)
    return {
        name: value[back] if name.startswith(by_example) else value for name, value in found.items()
    }


def _steps(model: Model, plan: list[Chunk], detailed: bool) -> dict[str, np.ndarray]:
    """Train the steps of the plan; return losses, slots, and weights after recorded steps."""
    found: dict[str, np.ndarray] = {}
    losses = []
    last = sum(chunk.steps for chunk in plan)
    kept = {1, *rungs.snapshots(last), last}
    watched = kept
    if detailed and last <= FEW_STEPS:
        watched = {*range(1, last + 1)}
    done = 0
    for piece in _pieces(plan, watched):
        place = "step" if done == 0 else f"steps/{done + 1}"
        if detailed and done + 1 in watched:
            step_losses, inputs = model.train_watched(piece)
            if done + 1 in kept:
                found.update(rungs.with_prefix(place, inputs))
        else:
            step_losses = model.train(piece)
        losses.append(step_losses)
        if step_losses.dtype == np.float64 and done + 1 in kept:
            found[f"{place}/loss"] = np.asarray(step_losses[0])
        done += piece.steps
        if done == 1:
            found.update(rungs.with_prefix("step/slots", model.slots()))
        if done == 1 or (done in kept and done < last):
            found.update(rungs.with_prefix(f"{place}/weights", model.weights()))
    found["steps/losses"] = np.concatenate(losses)
    found.update(rungs.with_prefix("steps/weights", model.weights()))
    return found


def _pieces(plan: list[Chunk], kept: Collection[int]) -> Iterator[Chunk]:
    """Split the plan so that each step in ``kept`` (numbered from 1) is a chunk of its own."""
    first = 1
    for chunk in plan:
        inside = [step - first for step in kept if first <= step < first + chunk.steps]
        cuts = sorted({0, chunk.steps, *inside, *(place + 1 for place in inside)})
        for start, stop in itertools.pairwise(cuts):
            yield chunk.part(start, stop)
        first += chunk.steps


def _predictions(model: Model, spec: Spec, test: Split) -> dict[str, np.ndarray]:
    outputs = model.outputs(test)
    predicted = labels(spec.model, outputs)
    loss = objective.reference_loss(spec.model, test.y, outputs.astype(np.float64))
    return {
        "outputs": outputs,
        "labels": predicted,
        "accuracy": np.asarray(accuracy(predicted, test.y)),
        "loss": np.asarray(loss),
    }


def _over_seeds(
    model: Model,
    spec: Spec,
    seeds: int,
    first: Mapping[str, np.ndarray],
    steps: int,
    train: Split,
    test: Split,
    advance: Callable[[str], None],
) -> dict[str, np.ndarray]:
    """Train from further seeds; return loss, accuracy and labels of each, the first included."""

    def kept(losses: np.ndarray, predictions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        late = losses[len(losses) // 2 :].mean(dtype=np.float64)
        return {**predictions, "loss": np.asarray(late)}

    known = {name: first[f"predictions/{name}"] for name in rungs.OVER_SEEDS}
    found = [kept(first["steps/losses"], known)]
    for number in range(1, seeds):
        training = dataclasses.replace(spec.training, seed=spec.training.seed + number)
        another = dataclasses.replace(spec, training=training)
        model.set_weights(weights.probe_weights(spec.model, training.seed))
        model.reset_optimizer()
        plan = batches.sample(another, len(train.x), steps)
        step_losses = np.concatenate([model.train(chunk) for chunk in plan])
        found.append(kept(step_losses, _predictions(model, spec, test)))
        advance(f"float32, from seed {training.seed}")
    return {
        f"predictions/over_seeds/{name}": np.stack([one[name] for one in found])
        for name in rungs.OVER_SEEDS
    }


def _time_per_step(model: Model, plan: list[Chunk]) -> float:
    """Return the median seconds per optimizer step of the first chunk, after compilation."""
    seconds = []
    for _ in range(TIMED_REPEATS):
        began = time.perf_counter()
        model.train(plan[0])
        seconds.append((time.perf_counter() - began) / plan[0].steps)
    return statistics.median(seconds)
