"""Choose which rows of a parametrised test run without ``--full``."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import pytest

from parity.constants import FLAVOURS


def first_of_each(
    rows: Iterable[Sequence[Any]],
    kind: Callable[..., Hashable],
    flavours: Sequence[str] = FLAVOURS,
    ids: Callable[..., str] | None = None,
) -> list[Any]:
    """The rows as parameters; all but the first of each kind are marked ``full``.

    Args:
        rows: the values of the parameters, row by row.
        kind: takes a row's values; rows that detect the same have the same kind.
        flavours: the Kerases with which the others need ``--full``.
        ids: takes a row's values and returns the id; by default pytest's own.
    """
    seen: set[Hashable] = set()
    parameters = []
    for row in rows:
        found = kind(*row)
        marks = [pytest.mark.full(*flavours)] if found in seen else []
        seen.add(found)
        parameters.append(pytest.param(*row, marks=marks, id=ids(*row) if ids else None))
    return parameters
