"""Batches: every example once an epoch, whatever the chunks; masks that belong to their step."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity.data import batches
from parity.numerics import random
from parity_tests.support import cases

SPEC = cases.spec_of("dropout", "rate_0.5")


def flat(examples: int, steps: int, chunk_steps: int) -> list[tuple[list[int], list[bool]]]:
    """(order, mask) of each step."""
    return [
        (chunk.order[step].tolist(), chunk.keep["dropout_1"][step].ravel().tolist())
        for chunk in batches.chunks(SPEC, examples, steps, chunk_steps)
        for step in range(chunk.steps)
    ]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(examples=st.integers(1, 200), batch=st.integers(1, 220), chunk=st.integers(1, 50))
def test_an_epoch_sees_every_example_once(examples: int, batch: int, chunk: int) -> None:
    """The short last batch is kept, and nothing comes twice, whatever the sizes."""
    training = dataclasses.replace(SPEC.training, batch_size=batch)
    spec = dataclasses.replace(SPEC, training=training)
    steps = batches.steps_per_epoch(spec.training, examples)
    made = list(batches.chunks(spec, examples, steps, chunk))
    assert sum(part.steps for part in made) == steps
    seen = np.concatenate([part.order.ravel() for part in made])
    assert sorted(seen) == list(range(examples))
    for part in made:
        assert part.keep["dropout_1"].shape == (*part.order.shape, 128)


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


@pytest.mark.parametrize(
    ("examples", "steps", "sizes"),
    [
        (150, 4, [32, 32, 32, 22]),  # 22 are left over at the end of the epoch
        (150, 1, [32]),
        (150, 6, [32, 32, 32, 32, 22, 32]),  # the epoch's end is reached anyway
        (128, 3, [32, 32, 32]),  # nothing is left over
        (20, 2, [20, 20]),  # less than one batch
    ],
)
def test_a_sample_of_steps_has_a_short_batch(examples: int, steps: int, sizes: list[int]) -> None:
    """Where the data leave one, it is met whatever the number of steps, from two on."""
    training = dataclasses.replace(SPEC.training, batch_size=32)
    made = batches.sample(dataclasses.replace(SPEC, training=training), examples, steps)
    assert [part.order.shape[1] for part in made for _ in range(part.steps)] == sizes
    seen = np.concatenate([part.order.ravel() for part in made if part.epoch == 0])
    assert len(set(seen.tolist())) == len(seen)
    assert all(len(part.keep["dropout_1"]) == part.steps for part in made)


def test_reordered_steps_hold_the_same_examples_with_their_masks() -> None:
    """Rows move together: each example keeps its mask."""
    (chunk,) = batches.chunks(SPEC, 96, 3, 3)
    places = random.row_order(0, 1, 32)
    turned = chunk.reordered(places)
    assert sorted(places) == list(range(32)) != places.tolist()
    for step in range(3):
        before = dict(zip(chunk.order[step].tolist(), chunk.keep["dropout_1"][step], strict=True))
        after = zip(turned.order[step].tolist(), turned.keep["dropout_1"][step], strict=True)
        assert all(np.array_equal(before[example], mask) for example, mask in after)


def test_members_have_orders_of_their_own() -> None:
    """The order hangs on the member, and on nothing drawn before."""
    orders = [tuple(random.row_order(0, member, 32)) for member in range(6)]
    assert len(set(orders)) == 6
    assert orders[3] == tuple(random.row_order(0, 3, 32))
