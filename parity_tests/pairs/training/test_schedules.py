"""Learning-rate schedules in a check of a pair: one for both, or each side's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from parity.errors import ParityError
from parity.pairs.check import check
from parity.report.report import Report
from parity_tests.pairs.zoo.models import fill
from parity_tests.support.selection import first_of_each

pytestmark = pytest.mark.flavour

X = np.random.default_rng(0).normal(size=(16, 6))
Y = np.random.default_rng(1).normal(size=(16, 3))
STEPS = 6

KERAS: dict[str, tuple[str, dict[str, Any]]] = {
    "exponential": ("ExponentialDecay", {"decay_steps": 1, "decay_rate": 0.9}),
    "inverse time": ("InverseTimeDecay", {"decay_steps": 2, "decay_rate": 0.7}),
    "polynomial": ("PolynomialDecay", {"decay_steps": 4, "power": 2.0}),
    "cosine": ("CosineDecay", {"decay_steps": 5, "alpha": 0.1}),
    "warmup": ("CosineDecay", {"decay_steps": 5, "warmup_target": 0.3, "warmup_steps": 3}),
    "restarts": ("CosineDecayRestarts", {"first_decay_steps": 2}),
}
RULES: dict[str, Callable[[Any, Any], Any]] = {
    "sgd": lambda optimizers, rate: optimizers.SGD(rate),
    "momentum": lambda optimizers, rate: optimizers.SGD(rate, momentum=0.9),
    "adam": lambda optimizers, rate: optimizers.Adam(rate),
}


def scheduled(keras: Any, name: str) -> Any:
    """One of Keras's schedules."""
    kind, values = KERAS[name]
    first = 0.01 if name == "warmup" else 0.1
    return getattr(keras.optimizers.schedules, kind)(initial_learning_rate=first, **values)


def checked(keras: Any, optimizer: Any) -> Report:
    """A faithful pair of two layers, trained so."""
    layers = [keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(3)]
    model = fill(keras.Sequential([keras.Input((6,)), *layers]))
    module = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    return check(model, module, X, targets=Y, loss="mse", optimizer=optimizer, steps=STEPS)


SCHEDULED = [
    (name, (*RULES, *RULES)[place % len(RULES) + turn])
    for place, name in enumerate(KERAS)
    for turn in range(len(RULES))
]
"""Every schedule with every optimizer; each schedule first with another one."""


@pytest.mark.parametrize(("name", "rule"), first_of_each(SCHEDULED, lambda name, _: name))
def test_a_schedule_of_keras_serves_both(name: str, rule: str, keras: Any) -> None:
    """PyTorch follows it, whatever the optimizer."""
    report = checked(keras, RULES[rule](keras.optimizers, scheduled(keras, name)))
    assert report.verdict == "same", str(report)
    assert report.rungs[-1].name == "steps"


def test_a_rate_for_each_part_of_training_serves_both(keras: Any) -> None:
    """A schedule that begins with no rate of its own."""
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([1, 3], [0.3, 0.1, 0.01])
    assert checked(keras, keras.optimizers.SGD(rate)).verdict == "same"


def with_scheduler(
    scheduler: Callable[[Any], Any], rate: float = 0.1, **given: Any
) -> Callable[[Any], Any]:
    """PyTorch's own, as a user writes it."""

    def made(parameters: Any) -> Any:
        optimizer = torch.optim.SGD(parameters, lr=rate, **given)
        return optimizer, scheduler(optimizer)

    return made


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_each_side_has_its_own(keras: Any, momentum: float) -> None:
    """Rates that rounding parts are the same; with momentum PyTorch's buffer is not Keras's."""
    own = keras.optimizers.SGD(scheduled(keras, "exponential"), momentum=momentum)
    other = with_scheduler(lambda one: lr_scheduler.ExponentialLR(one, 0.9), momentum=momentum)
    report = checked(keras, (own, other))
    assert report.verdict == ("different" if momentum else "same"), str(report)
    assert [one.id for one in report.causes] == ["sgd.momentum_buffer"] * bool(momentum)
    assert report.latent == (), "rates of the last step are no settings"


def test_rates_that_part_are_told(keras: Any) -> None:
    """A milestone that comes a step early: the rates of both, step by step."""
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.1, 0.01])
    other = with_scheduler(lambda one: lr_scheduler.MultiStepLR(one, [2], 0.1))
    report = checked(keras, (keras.optimizers.SGD(rate), other))
    assert report.verdict == "different"
    assert report.first_divergence is not None
    assert report.first_divergence.rung == "steps"
    (cause,) = report.causes
    assert cause.id == "optimizer.learning_rate"
    assert [len(cause.keras), len(cause.torch)] == [STEPS, STEPS]
    assert "0.1, 0.1, 0.1, 0.01, 0.01, 0.01" in str(report)


@pytest.mark.parametrize(
    "scheduler", [lr_scheduler.ReduceLROnPlateau, lambda _: "constant"], ids=["plateau", "text"]
)
def test_what_is_no_schedule_is_refused(scheduler: Any, keras: Any) -> None:
    """What waits for a score, or is nothing of the kind."""
    with pytest.raises(ParityError, match=r"returned SGD, (ReduceLROnPlateau|str), accepted: "):
        checked(keras, (keras.optimizers.SGD(0.1), with_scheduler(scheduler)))


def test_a_step_that_calls_the_model_again_is_refused(keras: Any) -> None:
    """Such a one takes other gradients than those that it is given."""
    with pytest.raises(ParityError, match="returned LBFGS, whose step calls the model again"):
        checked(keras, (keras.optimizers.SGD(0.1), torch.optim.LBFGS))


def test_a_step_that_raises_is_not_run(keras: Any) -> None:
    """The reason is one line with the error's text."""

    class Own(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            raise OverflowError("too far\nby a lot")

    report = checked(keras, (keras.optimizers.SGD(0.1), Own))
    assert report.verdict == "inconclusive"
    reason = report.rungs[-1].reason
    assert re.match("optimizer: PyTorch's .* OverflowError: too far", reason)
    assert "\n" not in reason


def test_a_rate_may_end_at_zero(keras: Any) -> None:
    """Then no step moves anything, whatever momentum holds."""
    rate = keras.optimizers.schedules.CosineDecay(0.1, 3)
    other = with_scheduler(lambda one: lr_scheduler.CosineAnnealingLR(one, 3), momentum=0.9)
    report = checked(keras, (keras.optimizers.SGD(rate, momentum=0.9), other))
    assert "unknown" not in {one.id for one in report.causes}, str(report)


def test_a_schedule_that_is_not_configured_is_refused(keras: Any) -> None:
    """A class of the user's own that does not say how it is made."""

    class Own(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            return 0.1

    with pytest.raises(ParityError, match="optimizer: received SGD, which cannot be copied") as e:
        checked(keras, keras.optimizers.SGD(Own()))
    assert "\n" not in str(e.value)


def test_a_legacy_optimizer_has_a_rate(keras: Any, flavour: str) -> None:
    """Keras 2 keeps its first optimizers beside the ones that it has now."""
    if flavour == "keras3":
        pytest.skip("keras3 has none")
    own = keras.optimizers.legacy.SGD(0.1)
    report = checked(keras, (own, lambda parameters: torch.optim.SGD(parameters, lr=0.1)))
    assert report.verdict == "same", str(report)
