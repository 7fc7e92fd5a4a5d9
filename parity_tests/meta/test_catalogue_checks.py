"""The checks of the catalogue fail when they should."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from parity.reference import catalogue
from parity_tests.catalogue import Shown, distance
from parity_tests.reference.test_catalogue import check

ENTRY = catalogue.CATALOGUE["batch_norm.epsilon"]
KERAS = np.array([1.0, -2.0])


def shown(naive: float | None, mended: float = 0.0) -> Shown:
    """Ports that stand so far from Keras; None: the naive one raises."""
    port = None if naive is None else KERAS + np.array([0.0, 2.0 * naive])
    return Shown(KERAS, port, KERAS + np.array([2.0 * mended, 0.0]))


def test_what_is_claimed_passes() -> None:
    """The check lets a demonstration through that shows what its entry says."""
    check(ENTRY, shown(ENTRY.size))
    check(dataclasses.replace(ENTRY, size=float("inf")), shown(None))


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (shown(0.0), "no difference"),
        (shown(1e-13), "no difference"),
        (shown(ENTRY.size * 2.1), "as the entry says"),
        (shown(ENTRY.size / 2.1), "as the entry says"),
        (shown(None), "as the entry says"),
        (shown(ENTRY.size, mended=1e-11), "is left"),
        (shown(ENTRY.size, mended=float("nan")), "is left"),
        (Shown(np.full(2, np.nan), KERAS + 1.0, np.full(2, np.nan)), "is left"),
        (Shown(KERAS, KERAS * 1.004, np.array([1.0])), "is left"),
    ],
)
def test_what_shows_nothing_fails(found: Shown, why: str) -> None:
    """No difference, another size, or one that is not mended: each is refused, and so is NaN."""
    with pytest.raises(AssertionError, match=why):
        check(ENTRY, found)


def test_an_infinite_claim_needs_a_port_that_raises() -> None:
    """A port that gives numbers does not bear out an entry that says it raises."""
    with pytest.raises(AssertionError, match="as the entry says"):
        check(dataclasses.replace(ENTRY, size=float("inf")), shown(1e3))


def test_distance_is_relative_and_never_averaged() -> None:
    """The worst entry counts, in units of Keras's largest."""
    assert distance(KERAS, KERAS + np.array([0.0, 1.0])) == 0.5
    assert distance(np.zeros(2), np.array([0.0, 3.0])) == 3.0
    assert distance(KERAS, KERAS[None]) == float("inf")
