"""Choose which rows of a parametrised test run without ``--full``."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

import pytest

Kind = Callable[..., Hashable]
Row = TypeVar("Row")


def first_of_each(
    rows: Iterable[Sequence[Any]],
    kind: Kind,
    keras3: Kind | None = None,
    ids: Callable[..., str] | None = None,
) -> list[Any]:
    """The rows as parameters; all but the first of each kind are marked ``full``.

    Args:
        rows: the values of the parameters, row by row.
        kind: takes a row's values; rows that can detect the same are of the same kind.
        keras3: a coarser kind for the run with Keras 3, where most rows detect nothing else.
        ids: takes a row's values and returns the id; by default pytest's own.
    """
    seen: set[Hashable] = set()
    parameters = []
    for row in rows:
        marks = []
        for flavours, of in (((), kind), (("keras3",), keras3)):
            if of and (found := (flavours, of(*row))) in seen:
                marks.append(pytest.mark.full(*flavours))
            elif of:
                seen.add(found)
        parameters.append(pytest.param(*row, marks=marks, id=ids(*row) if ids else None))
    return parameters


def every_two(rows: Sequence[Row], options: Callable[[Row], Sequence[Hashable]]) -> list[Row]:
    """Few of the rows in which any two options that some row combines still occur together.

    Args:
        rows: what to choose from; of equally good ones the first is taken.
        options: gives a row's options, each in a place of its own.
    """
    combined = [set(itertools.combinations(enumerate(options(row)), 2)) for row in rows]
    missing, chosen = set[object]().union(*combined), set[int]()
    while missing:
        best = max(range(len(rows)), key=lambda place: len(combined[place] & missing))
        missing -= combined[best]
        chosen.add(best)
    return [row for place, row in enumerate(rows) if place in chosen]
