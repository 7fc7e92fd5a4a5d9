"""Other ways to train, and gradients that are zero but for rounding, are the same on every rung."""

from __future__ import annotations

import dataclasses

import pytest

from parity_tests.support import cases
from parity_tests.support.comparisons import Comparisons
from parity_tests.support.selection import first_of_each

pytestmark = pytest.mark.flavour

RECIPES = [
    (recipe, cases.TRAINED_SO[(place + turn) % len(cases.TRAINED_SO)])
    for place, recipe in enumerate(cases.RECIPES)
    for turn in range(len(cases.TRAINED_SO))
]
"""Each recipe first with another model."""


@pytest.mark.parametrize(
    ("recipe", "row"),
    first_of_each(RECIPES, lambda recipe, row: recipe, lambda recipe, row: row),
)
def test_every_recipe_is_the_same(
    recipe: str, row: tuple[str, str, str], flavour: str, comparisons: Comparisons
) -> None:
    """Class weights, weight decay, clipping, schedules and averages, in float64."""
    spec = cases.spec_of(*row, flavour=flavour, **cases.RECIPES[recipe])
    assert comparisons.of(spec).failed() == []


@pytest.mark.parametrize("seed", [2, 4])
def test_a_gradient_of_exactly_zero_is_no_difference(
    seed: int, flavour: str, comparisons: Comparisons
) -> None:
    """A convolution's bias whose rounding sums to zero on one side, but not in every batch.

    Seeds 2 and 4 are ones where PyTorch's first batch does.
    """
    spec = cases.spec_of("cnn", "one_channel", flavour=flavour, seed=seed)
    spec = dataclasses.replace(spec, training=dataclasses.replace(spec.training, batch_size=4))
    comparison = comparisons.of(spec)
    assert comparison.failed() == []
    assert comparison.null_gradients == ("conv_1/bias",)
