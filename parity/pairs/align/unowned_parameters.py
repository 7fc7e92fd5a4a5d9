"""Parameters that no layer both sides know holds: a custom layer's own, a token, a table."""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

import numpy as np

from parity.adapters.calls import Arrays
from parity.adapters.side import Side
from parity.pairs.align.match import Alignment


class Carried(NamedTuple):
    """Pairs of names, and those on either side that have no partner."""

    pairs: list[tuple[str, str]]
    keras: list[str]
    torch: list[str]


def carry(alignment: Alignment, keras: Side, torch: Side, weights: str) -> Carried:
    """Those of one side over to the other.

    Args:
        alignment: the layers that belong together, whose weights are carried otherwise.
        keras: the Keras model.
        torch: the PyTorch model.
        weights: ``keras`` copies Keras's, ``torch`` PyTorch's.

    Returns:
        Names of those carried, Keras's and PyTorch's; and of those left as they are.
    """
    own = keras.unowned_parameters([k.name for k, _ in alignment.pairs])
    other = torch.unowned_parameters([t.name for _, t in alignment.pairs])
    names = partners(own, other)
    (torch if weights == "keras" else keras).set_unowned_parameters(
        values(names, own, other, weights)
    )
    left = [one for one in own if one not in dict(names)]
    return Carried(names, left, [one for one in other if one not in dict(names).values()])


def partners(keras: Arrays, torch: Arrays) -> list[tuple[str, str]]:
    """Names that belong together: of one shape, and with more words in common than any other.

    Args:
        keras: parameters by Keras's own names.
        torch: by PyTorch's.
    """
    found, free = [], dict(torch)
    for own, value in keras.items():
        likeness = sorted(
            (_alike(own, other), other)
            for other, theirs in free.items()
            if theirs.shape == value.shape
        )
        if not likeness or likeness[-1][0] == 0:
            continue
        if len(likeness) > 1 and likeness[-1][0] == likeness[-2][0]:
            continue
        found.append((own, likeness[-1][1]))
        del free[likeness[-1][1]]
    return found


def _alike(own: str, other: str) -> int:
    """Words, and numbers, that both names have in the same order."""
    ours, theirs = (re.findall("[a-z]+|[0-9]+", name.lower()) for name in (own, other))
    blocks = difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


def values(names: list[tuple[str, str]], keras: Arrays, torch: Arrays, weights: str) -> Arrays:
    """What the side that receives weights is given, by its own names."""
    if weights == "keras":
        return {other: np.asarray(keras[own]) for own, other in names}
    return {own: np.asarray(torch[other]) for own, other in names}
