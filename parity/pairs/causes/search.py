"""The search for the fewest settings that explain a difference."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TypeVar

Setting = TypeVar("Setting")


def smallest_explanation(
    settings: Sequence[Setting],
    simulate: Callable[[tuple[Setting, ...]], float],
    limit: float,
) -> tuple[tuple[Setting, ...], float] | None:
    """The smallest set of settings that reduces the difference to the limit, and what remains.

    Args:
        settings: in which two sides differ; of sets of one size the first in this order is taken.
        simulate: the difference between the two sides once PyTorch has Keras's values of these
            settings.
        limit: the largest difference that counts as none.

    Returns:
        None if no set does, not even all settings together.
    """
    for count in range(1, len(settings) + 1):
        for chosen in itertools.combinations(settings, count):
            after = simulate(chosen)
            if after <= limit:
                return chosen, after
    return None
