"""Batches in training order: which examples each step sees and which units it keeps.

Chunks of steps are made ahead of time on a thread, so that drawing masks costs a training loop
nothing while the framework computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from parity.data import mapped
from parity.data.datasets import Split
from parity.numerics import random
from parity.specs import weights
from parity.specs.run import Spec
from parity.specs.training import TrainingSpec

OUTPUT_BATCH = 1000
"""Examples per call in evaluation; bounds memory, not results."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive steps of equal batch size, within one epoch.

    Attributes:
        epoch: number of the epoch, from 0.
        order: int64 (steps, batch), indices into the training examples.
        keep: layer name to what it draws, (steps, batch, *its shape): a dropout's bool keep mask,
            or another layer's float32 numbers.
    """

    epoch: int
    order: np.ndarray
    keep: dict[str, np.ndarray]

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.order)

    def part(self, start: int, stop: int | None = None) -> Chunk:
        """The chunk's steps from ``start`` up to ``stop``."""
        keep = {name: mask[start:stop] for name, mask in self.keep.items()}
        return Chunk(self.epoch, self.order[start:stop], keep)

    def reordered(self, places: np.ndarray) -> Chunk:
        """The same steps, each with its examples in another order: ``places``, int64 (batch,)."""
        keep = {name: mask[:, places] for name, mask in self.keep.items()}
        return Chunk(self.epoch, self.order[:, places], keep)

    def brought(self, examples: Split) -> tuple[Split, Chunk]:
        """Just the examples of these steps, read from where they are mapped, and their places."""
        picked = self.order.reshape(-1)
        lengths = None if examples.lengths is None else examples.lengths[picked]
        split = Split(mapped.read(examples.x, picked), examples.y[picked], lengths)
        places = np.arange(len(picked)).reshape(self.order.shape)
        return split, Chunk(self.epoch, places, self.keep)

    def first_batch(self, examples: Split) -> Batch:
        """The examples and masks of the first step."""
        picked = self.order[0]
        lengths = None if examples.lengths is None else examples.lengths[picked]
        keep = {name: mask[0] for name, mask in self.keep.items()}
        return Batch(examples.x[picked], examples.y[picked], lengths, keep)


@dataclass(frozen=True)
class Batch:
    """Examples of one step: x float32 (N, …), y and lengths int64 (N,), draws by layer."""

    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray | None
    keep: dict[str, np.ndarray]

    def unpadded(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Arrays (N, T, …) with zeros beyond each sequence's length, others as they are.

        Keras repeats itself there, and none reads it.
        """
        if self.lengths is None:
            return dict(values)
        valid = (np.arange(self.x.shape[1]) < self.lengths[:, None])[:, :, None]
        return {
            name: np.where(valid, value, value.dtype.type(0))
            if value.ndim == 3 and value.shape[:2] == valid.shape[:2]
            else value
            for name, value in values.items()
        }


def steps_per_epoch(training: TrainingSpec, examples: int) -> int:
    """Steps in one pass, the last and shorter batch counted."""
    return -(-examples // training.batch_size)


def chunks(
    spec: Spec, examples: int, steps: int, chunk_steps: int, start: int = 0
) -> Iterator[Chunk]:
    """Training up to step ``steps``, at least one from ``start``, by ``chunk_steps`` at most.

    A short last batch of an epoch is a chunk of its own; nothing is dropped.
    """
    plan = _plan(spec, examples, steps, chunk_steps, start)
    with ThreadPoolExecutor(1) as ahead:
        pending = ahead.submit(_make, spec, examples, *next(plan))
        for following in plan:
            made = pending.result()
            pending = ahead.submit(_make, spec, examples, *following)
            yield made
        yield pending.result()


def sample(spec: Spec, examples: int, steps: int) -> list[Chunk]:
    """Steps to try training with: the first ones, and a short batch for the last of several.

    Where the examples leave one over at the end of an epoch, and the steps do not get there, it
    takes the place of the last: what divides by the spec's batch size does not show otherwise.
    """
    size = min(spec.training.batch_size, examples)
    if steps == 1 or not examples % size or steps >= steps_per_epoch(spec.training, examples):
        return list(chunks(spec, examples, steps, steps))
    short = _make(spec, examples, 0, examples // size, 1, examples % size)
    return [*chunks(spec, examples, steps - 1, steps), short]


def _plan(
    spec: Spec, examples: int, steps: int, chunk_steps: int, done: int
) -> Iterator[tuple[int, int, int, int]]:
    """(epoch, first step within it, steps, batch) of each chunk."""
    size = min(spec.training.batch_size, examples)
    per_epoch = steps_per_epoch(spec.training, examples)
    whole = examples // size
    while done < steps:
        epoch, within = divmod(done, per_epoch)
        if within < whole:
            count, batch = min(chunk_steps, whole - within, steps - done), size
        else:
            count, batch = 1, examples % size
        yield epoch, within, count, batch
        done += count


def _make(spec: Spec, examples: int, epoch: int, within: int, count: int, batch: int) -> Chunk:
    seed = spec.training.seed
    start = within * spec.training.batch_size
    order = random.epoch_order(seed, epoch, examples)[start : start + count * batch]
    first = epoch * steps_per_epoch(spec.training, examples) + within
    keep = {
        layer: np.stack(
            [weights.draw(seed, layer, step, batch, draw) for step in range(first, first + count)]
        )
        for layer, draw in spec.model.draws().items()
    }
    return Chunk(epoch, order.reshape(count, batch), keep)
