"""The search for the fewest settings that explain a difference."""

from __future__ import annotations

import pytest

from parity.pairs.causes.search import smallest_explanation

EFFECTS = {"rate": 4.0, "momentum": 2.0, "decay": 1.0, "epsilon": 1e-3}
"""Setting to its share of a difference of 7.001."""


def simulate(names: tuple[str, ...]) -> float:
    return sum(EFFECTS.values()) - sum(EFFECTS[name] for name in names)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (8.0, ("rate",)),
        (3.01, ("rate",)),
        (1.01, ("rate", "momentum")),
        (0.01, ("rate", "momentum", "decay")),
    ],
)
def test_the_smallest_set_within_the_limit_is_found(limit: float, expected: tuple[str]) -> None:
    """No set of fewer settings suffices, and what remains is returned."""
    assert smallest_explanation(list(EFFECTS), simulate, limit) == (expected, simulate(expected))


def test_sets_of_equal_size_are_tried_in_order() -> None:
    """The first setting that suffices alone is taken, not the one with the largest effect."""
    names = list(reversed(EFFECTS))
    assert smallest_explanation(names, simulate, 6.5) == (("decay",), simulate(("decay",)))


def test_no_set_suffices() -> None:
    """Neither all settings, nor none at all if a difference remains."""
    assert smallest_explanation(list(EFFECTS), simulate, -1.0) is None
    assert smallest_explanation([], lambda names: 0.0, 1.0) is None


def test_what_cannot_be_computed_explains_nothing() -> None:
    """A residual that is not a number is not within any limit."""
    assert smallest_explanation(["rate"], lambda names: float("nan"), 1.0) is None
