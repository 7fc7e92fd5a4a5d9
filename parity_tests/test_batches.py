"""Batches: every example once an epoch, whatever the chunks; masks that belong to their step."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from parity import batches
from parity_tests import cases

SPEC = cases.spec_of("dropout", "rate_0.5")


def flat(examples: int, steps: int, chunk_steps: int) -> list[tuple[list[int], list[bool]]]:
    """(order, mask) of each step."""
    return [
        (chunk.order[step].tolist(), chunk.keep["dropout_1"][step].ravel().tolist())
        for chunk in batches.chunks(SPEC, examples, steps, chunk_steps)
        for step in range(chunk.steps)
    ]


@pytest.mark.parametrize("examples", [20, 32, 64, 100])
def test_an_epoch_sees_every_example_once(examples: int) -> None:
    """The short last batch is kept, and nothing comes twice."""
    steps = batches.steps_per_epoch(SPEC, examples)
    seen = [index for order, _ in flat(examples, steps, 3) for index in order]
    assert sorted(seen) == list(range(examples))


@pytest.mark.parametrize("chunk_steps", [1, 2, 7, 100])
def test_chunks_change_nothing(chunk_steps: int) -> None:
    """Order and masks do not depend on how many steps a chunk holds."""
    assert flat(100, 11, chunk_steps) == flat(100, 11, 5)


def test_epochs_of_a_run_differ() -> None:
    """The second epoch has another order and other masks than the first."""
    steps = flat(64, 4, 10)
    assert steps[:2] != steps[2:]


def test_a_chunk_stays_within_its_epoch() -> None:
    """Chunks carry their epoch's number, from 0."""
    found = [(chunk.epoch, chunk.steps) for chunk in batches.chunks(SPEC, 64, 5, 10)]
    assert found == [(0, 2), (1, 2), (2, 1)]


def test_a_batch_larger_than_the_data_is_all_of_it() -> None:
    """Twenty examples make one batch of twenty."""
    training = dataclasses.replace(SPEC.training, batch_size=1000)
    spec = dataclasses.replace(SPEC, training=training)
    (chunk,) = batches.chunks(spec, 20, 1, 1)
    assert np.array_equal(np.sort(chunk.order[0]), np.arange(20))
