"""How much the name of a Keras layer is like that of a PyTorch module."""

from __future__ import annotations

import re
from functools import lru_cache


def last_part(name: str) -> str:
    """What follows the last dot or slash."""
    return re.split("[./]", name)[-1]


@lru_cache(maxsize=4096)
def stem(name: str) -> str:
    """The last part of a name in lower case, without the numbers at its end."""
    return last_part(re.sub(r"[./0-9]+$", "", name)).lower()


@lru_cache(maxsize=4096)
def common_letters(keras: str, torch: str) -> int:
    """Letters that two names share: of words where one is the beginning of the other.

    ``query`` and ``q_proj`` share one, ``value`` and ``q_proj`` none; numbers are ignored.
    """
    first, second = (re.findall("[a-z]+", name) for name in (keras, torch))
    return sum(
        max((min(len(a), len(b)) for b in second if a.startswith(b) or b.startswith(a)), default=0)
        for a in first
    )
