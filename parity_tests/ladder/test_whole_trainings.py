"""Whole trainings: epochs, validation, schedules and callbacks are the same in both frameworks."""

from __future__ import annotations

import pytest

from parity.adapters.backend import Backend
from parity.adapters.state import History
from parity.ladder import contents, fit
from parity.numerics import tolerance
from parity.reference.schedules.spec import SCHEDULES
from parity.specs import callbacks, objective
from parity_tests.support import cases
from parity_tests.support.comparisons import Comparisons
from parity_tests.support.selection import first_of_each

pytestmark = pytest.mark.flavour

ROWS = [
    ("softmax", "hidden_32_16-logits", "adam"),
    ("cnn", "bn-c1-k3-s1-n8", "nesterov"),
    ("rnn", "lstm-1-uni-fixed", "adam"),
]


TRAININGS = [
    (recipe, ROWS[(place + turn) % len(ROWS)])
    for place, recipe in enumerate(cases.WHOLE)
    for turn in range(len(ROWS))
]
"""Each recipe first with another model."""


@pytest.mark.parametrize(
    ("recipe", "row"), first_of_each(TRAININGS, lambda recipe, row: recipe, lambda *_: "whole")
)
def test_whole_training_is_the_same(
    recipe: str, row: tuple[str, str, str], flavour: str, comparisons: Comparisons
) -> None:
    """Loss of every step, history, last epoch, weights and every predicted class agree."""
    spec = cases.spec_of(*row, flavour=flavour, **cases.WHOLE[recipe])
    comparison = comparisons.of(spec, steps=1, whole=True)
    assert comparison.failed() == []
    weights = {f"weights/{row.name}" for row in spec.model.parameters()}
    assert comparison.of("training").keys() == {*contents.TRAINED, *weights}


@pytest.mark.parametrize(
    "name", first_of_each(zip(cases.SCHEDULES), lambda name: name, lambda _: "schedule")
)
def test_every_schedule_is_the_same(
    name: str, flavour: str, keras_backend: Backend, comparisons: Comparisons
) -> None:
    """Ten steps and a whole training with each schedule, whose rates change."""
    spec = cases.spec_of(
        "softmax",
        "regression-logits",
        "momentum",
        flavour=flavour,
        schedule=cases.SCHEDULES[name],
        training={"epochs": 4},
    )
    assert comparisons.of(spec, whole=True).failed() == []
    history, _ = _trained(keras_backend, spec)
    assert len({epoch["learning_rate"] for epoch in history.epochs}) > 1, "the rate is constant"


@pytest.mark.parametrize("which", ["keras_backend", "torch_backend"])
def test_callbacks_do_what_they_are_for(
    which: str, flavour: str, request: pytest.FixtureRequest
) -> None:
    """The recipes of the tests above stop early, go back to the best weights, lower the rate."""
    backend = request.getfixturevalue(which)
    stopped, plateau = (
        _trained(backend, cases.spec_of(*ROWS[0], flavour=flavour, **cases.WHOLE[recipe]))
        for recipe in ("stopped", "plateau")
    )
    epochs = [epoch["val_loss"] for epoch in stopped[0].epochs]
    assert stopped[0].stopped
    assert len(epochs) < 8
    assert stopped[1] == pytest.approx(epochs[-3], rel=1e-12), "not the best epoch's weights"
    rates = [epoch["learning_rate"] for epoch in plateau[0].epochs]
    assert rates[0] > rates[-1] > 0
    assert not plateau[0].stopped


def _trained(backend: Backend, spec) -> tuple[History, float]:
    """A training from the initial weights, and its model's loss on the test set."""
    train, test = cases.splits_of(spec)
    model = backend.create(spec, "float64")
    model.feed(train)
    history = History()
    fit.fit(model, spec, train, test, history, fit.Watch())
    return history, model.validate(test)[0]


@pytest.mark.parametrize("which", ["keras_backend", "torch_backend"])
def test_validation_loss_is_without_class_weights(
    which: str, flavour: str, request: pytest.FixtureRequest
) -> None:
    """As Keras's ``val_loss``: class weights do not count, label smoothing does."""
    backend = request.getfixturevalue(which)

    def validated(**training: float) -> float:
        spec = cases.spec_of(*ROWS[0], flavour=flavour, training=training)
        test = cases.splits_of(spec)[1]
        loss, outputs = backend.create(spec, "float64").validate(test)
        assert outputs.shape == (cases.TEST, 10)
        smoothing = training.get("label_smoothing", 0.0)
        expected = objective.reference_loss(spec.model, test.y, outputs, label_smoothing=smoothing)
        assert abs(loss - expected) <= tolerance.FLOAT64["loss"].limit * expected
        return loss

    plain = validated()
    weights = cases.RECIPES["class_weights"]["training"]
    assert validated(**weights) == plain
    assert validated(label_smoothing=0.3) != plain


def test_every_row_of_the_tables_is_tried() -> None:
    """Each schedule and each callback of a spec stands in the recipes of these tests."""
    tried = {fields["name"] for fields in cases.SCHEDULES.values()}
    assert tried == set(SCHEDULES) - {"constant"}
    turned_on = {name for recipe in cases.WHOLE.values() for name in recipe.get("callbacks", {})}
    assert set(callbacks.CALLBACKS) <= turned_on
