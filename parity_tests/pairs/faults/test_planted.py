"""Faults in small pairs of users' own: each is found, in its layer, and named with proof."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from parity.numerics import tolerance
from parity.pairs.check import check
from parity.reference.catalogue import CATALOGUE, MISTAKES
from parity_tests.pairs.faults.planted import ROWS, Row
from parity_tests.pairs.faults.test_faults import ported
from parity_tests.pairs.zoo.building import filled
from parity_tests.support.selection import first_of_each

pytestmark = pytest.mark.flavour


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every row that this Keras can have."""
    flavour = metafunc.config.getoption("--flavour")
    if "row" in metafunc.fixturenames:
        metafunc.parametrize(
            "row",
            first_of_each(
                [(row,) for row in ROWS if flavour in row.flavours],
                lambda row: row.name,
                lambda row: row.name.split(".")[0],
                lambda row: row.name,
            ),
        )


def checked(row: Row, keras: Any) -> Any:
    """The report."""
    model, module, weights = filled(row.keras(keras), row.positive), row.torch(), "keras"
    if row.weights:
        module, weights = ported(model, module, row.inputs()), "as-is"
        row.weights(module)
    given: dict[str, Any] = {"weights": weights}
    if row.loss:
        given |= {"loss": row.loss(keras), "targets": row.wanted(), "steps": 3}
    if row.rules:
        given["optimizer"] = row.rules(keras)
    return check(model, module, row.inputs(), **given)


AT_LEAST = 0.95
"""Of the faults whose cause is in the catalogue, how many are named."""


def test_most_faults_can_be_named() -> None:
    """Each has a name of its own; the others say why not, and name nothing."""
    assert len({row.name for row in ROWS}) == len(ROWS)
    entries = {*CATALOGUE, *MISTAKES}
    assert all(row.entry in {"", *entries} for row in ROWS)
    listed = [row for row in ROWS if row.causes or {row.name, row.entry} & entries]
    assert sum(bool(row.causes) for row in listed) / len(listed) >= AT_LEAST
    assert all(bool(row.unnamed) != bool(row.causes) for row in ROWS)


def test_a_planted_fault_is_found_placed_and_named(
    row: Row, keras: Any, record_property: Callable[[str, object], None]
) -> None:
    """The verdict, the layer, the cause with its proof, and no wrong cause."""
    report = checked(row, keras)
    parted = report.first_divergence
    known = {one.id for one in report.causes} - {"unknown"}
    places = {one.layer for one in report.causes} | {parted.keras_layer if parted else None}
    outcome = {
        "detected": report.verdict == "different",
        "rung": bool(parted and parted.rung == row.rung),
        "layer": not row.layer or row.layer in places,
        "named": not row.unnamed and known == {*row.causes},
        "wrong": bool(known - {*row.causes}),
    }
    record_property("pair fault", {"name": row.name, "nameable": not row.unnamed, **outcome})
    wanted = {**dict.fromkeys(outcome, True), "named": not row.unnamed, "wrong": False}
    assert outcome == wanted, f"{row.causes}\n{report}"
    for one in report.causes:
        shown = "forward_eval" if one.rung == "parameters" else one.rung
        limit = tolerance.FLOAT64[shown].limit
        assert one.id == "unknown" or one.proof.after <= limit < one.proof.before
