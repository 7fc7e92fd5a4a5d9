"""The JSON Schema of reports: without any one of its fields, a report does not follow it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from torch import nn

from parity.numerics.tolerance import Allowed
from parity.pairs.check import check
from parity.report import of_records
from parity_tests.support import records
from parity_tests.support.records import Pair
from parity_tests.support.report_schema import errors

ANY_KEYS = ("spec", "headers", "versions", "saturated", "overrides")
"""Objects whose keys depend on the run."""


@pytest.fixture(scope="module")
def of_two_records(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A report with what only records have: null gradients, a replay, an override."""
    pair = Pair(tmp_path_factory.mktemp("records"), records.spec())
    for side, values in (("keras", pair.keras), ("torch", pair.torch)):
        values["float64/gradients/dense_1/bias"] *= 1e-14
        pair.set_header(side, null_gradients={"dense_1/bias": 1e-14})
    pair.torch["float64/forward_eval/logits"][0, 0] = np.nan
    allowed = {"loss": Allowed(1e-5, "why", True)}
    with pair.compared(replayed=True, overrides=allowed) as comparison:
        return of_records.report(comparison, command=("parity", "compare")).as_data()


@pytest.fixture(scope="module")
def of_a_pair(keras: Any) -> Any:
    """A report with a cause, and a setting that does not show."""
    layers = [keras.layers.Dense(5, name="dense"), keras.layers.BatchNormalization(name="norm")]
    model = keras.Sequential([keras.Input((6,)), *layers])
    module = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))
    return check(model, module, np.random.default_rng(0).normal(size=(8, 6))).as_data()


def keys(found: Any, *place: Any) -> Iterator[tuple[Any, ...]]:
    """The place of every field, in lists of the first entry's."""
    if isinstance(found, dict):
        for name, value in found.items():
            yield (*place, name)
            if name not in ANY_KEYS:
                yield from keys(value, *place, name)
    elif isinstance(found, list) and found:
        yield from keys(found[0], *place, 0)


def without(found: Any, place: tuple[Any, ...]) -> Any:
    """The report with one field less."""
    changed = inner = copy.deepcopy(found)
    for name in place[:-1]:
        inner = inner[name]
    del inner[place[-1]]
    return changed


@pytest.mark.parametrize("fixture", ["of_two_records", "of_a_pair"])
def test_every_field_is_needed(fixture: str, request: pytest.FixtureRequest) -> None:
    """Without any one of them, a report does not follow the schema."""
    report = request.getfixturevalue(fixture)
    assert errors(report) == []
    places = list(keys(report))
    assert len(places) > 50
    assert [place for place in places if not errors(without(report, place))] == []


@pytest.mark.parametrize("change", [{"new": 1}, {"verdict": "equal"}, {"schema": 99}])
def test_other_fields_and_values_are_refused(of_a_pair: Any, change: dict[str, Any]) -> None:
    """So that a new field must be described in the schema."""
    assert errors({**of_a_pair, **change})
