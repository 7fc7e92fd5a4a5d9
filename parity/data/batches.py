"""Batches in training order: the examples and the random draws of each step.

Chunks of steps are created in advance on a thread, while the framework computes.
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
"""Examples per call in evaluation; it limits memory and does not affect results."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive steps of equal batch size, within one epoch.

    Attributes:
        epoch: number of the epoch, from 0.
        order: int64 (steps, batch), indices into the training examples.
        keep: random draws (steps, batch, *shape) by layer name: a bool keep mask for dropout,
            float32 numbers for other layers.
    """

    epoch: int
    order: np.ndarray
    keep: dict[str, np.ndarray]

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.order)

    def part(self, start: int, stop: int | None = None) -> Chunk:
        """Return the steps from ``start`` up to ``stop``, by default to the end."""
        keep = {name: mask[start:stop] for name, mask in self.keep.items()}
        return Chunk(self.epoch, self.order[start:stop], keep)

    def reordered(self, places: np.ndarray) -> Chunk:
        """Return the same steps, each with its examples in the order ``places``, int64 (batch,)."""
        keep = {name: mask[:, places] for name, mask in self.keep.items()}
        return Chunk(self.epoch, self.order[:, places], keep)

    def load_examples(self, examples: Split) -> tuple[Split, Chunk]:
        """Read the examples of these steps from a mapped file, and return a chunk indexing them."""
        picked = self.order.reshape(-1)
        lengths = None if examples.lengths is None else examples.lengths[picked]
        split = Split(mapped.read(examples.x, picked), examples.y[picked], lengths)
        places = np.arange(len(picked)).reshape(self.order.shape)
        return split, Chunk(self.epoch, places, self.keep)

    def first_batch(self, examples: Split) -> Batch:
        """Return the examples and random draws of the first step."""
        picked = self.order[0]
        lengths = None if examples.lengths is None else examples.lengths[picked]
        keep = {name: mask[0] for name, mask in self.keep.items()}
        return Batch(examples.x[picked], examples.y[picked], lengths, keep)


@dataclass(frozen=True)
class Batch:
    """One step: x float32 (N, …), y and lengths int64 (N,), random draws (N, …) by layer."""

    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray | None
    keep: dict[str, np.ndarray]

    def zero_padding(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Set steps after each sequence's end to zero in arrays (N, T, …); return all arrays.

        No layer reads these steps: Keras repeats the last output there, PyTorch returns zero.
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
    """Return the number of steps in one epoch, including a short last batch."""
    return -(-examples // training.batch_size)


def chunks(
    spec: Spec, examples: int, steps: int, chunk_steps: int, start: int = 0
) -> Iterator[Chunk]:
    """Yield the steps from ``start`` up to ``steps`` in chunks of at most ``chunk_steps``.

    The short last batch of an epoch is a chunk of its own. At least one step must remain.
    """
    plan = _plan(spec, examples, steps, chunk_steps, start)
    with ThreadPoolExecutor(1) as ahead:
        pending = ahead.submit(_make, spec, examples, *next(plan))
        for following in plan:
            chunk = pending.result()
            pending = ahead.submit(_make, spec, examples, *following)
            yield chunk
        yield pending.result()


def sample(spec: Spec, examples: int, steps: int) -> list[Chunk]:
    """Return the first ``steps`` steps, of which the last is a short batch if there is one.

    If an epoch ends with a short batch that these steps do not reach, it replaces the last of
    several steps: otherwise a division by the spec's batch size would not be detected.
    """
    size = min(spec.training.batch_size, examples)
    if steps == 1 or not examples % size or steps >= steps_per_epoch(spec.training, examples):
        return list(chunks(spec, examples, steps, steps))
    short = _make(spec, examples, 0, examples // size, 1, examples % size)
    return [*chunks(spec, examples, steps - 1, steps), short]


def _plan(
    spec: Spec, examples: int, steps: int, chunk_steps: int, done: int
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (epoch, first step within it, steps, batch size) of each chunk."""
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
