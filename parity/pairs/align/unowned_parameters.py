"""Unowned parameters: those that no matched layer holds, such as a token or a table."""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

import numpy as np

from parity.adapters.calls import Arrays
from parity.adapters.side import Side
from parity.pairs.align.match import Alignment


class Carried(NamedTuple):
    """Names of the parameters that were copied, and of those on either side without a partner."""

    pairs: list[tuple[str, str]]
    keras: list[str]
    torch: list[str]


def carry(alignment: Alignment, keras: Side, torch: Side, weights: str) -> Carried:
    """Copy the unowned parameters of one side to the other.

    Args:
        alignment: the layers that match, whose weights are copied elsewhere.
        keras: the Keras model.
        torch: the PyTorch model.
        weights: ``keras`` copies Keras's, ``torch`` PyTorch's.

    Returns:
        Names of those copied, Keras's and PyTorch's; and of those left as they are.
    """
    first = keras.unowned_parameters([k.name for k, _ in alignment.pairs])
    second = torch.unowned_parameters([t.name for _, t in alignment.pairs])
    names = partners(first, second)
    target = torch if weights == "keras" else keras
    target.set_unowned_parameters(values(names, first, second, weights))
    keras_only = [one for one in first if one not in dict(names)]
    torch_only = [one for one in second if one not in dict(names).values()]
    return Carried(names, keras_only, torch_only)


def partners(keras: Arrays, torch: Arrays) -> list[tuple[str, str]]:
    """Match names: of parameters of the same shape, those with the most words in common.

    Args:
        keras: parameters by Keras's own names.
        torch: by PyTorch's.
    """
    found, free = [], dict(torch)
    for name, value in keras.items():
        likeness = sorted(
            (_likeness(name, other), other)
            for other, candidate in free.items()
            if candidate.shape == value.shape
        )
        if not likeness or likeness[-1][0] == 0:
            continue
        if len(likeness) > 1 and likeness[-1][0] == likeness[-2][0]:
            continue
        found.append((name, likeness[-1][1]))
        del free[likeness[-1][1]]
    return found


def _likeness(keras: str, torch: str) -> int:
    """Number of words, and numbers, that both names have in the same order."""
    first, second = (re.findall("[a-z]+|[0-9]+", name.lower()) for name in (keras, torch))
    blocks = difflib.SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


def values(names: list[tuple[str, str]], keras: Arrays, torch: Arrays, weights: str) -> Arrays:
    """The parameters that are copied, by the names of the side that receives them."""
    if weights == "keras":
        return {second: np.asarray(keras[first]) for first, second in names}
    return {first: np.asarray(torch[second]) for first, second in names}
