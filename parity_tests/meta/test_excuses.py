"""What may excuse a float64 difference excuses no other: each limit wider than the table's."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.reference.optimizers.spec import OptimizerSpec
from parity.reference.optimizers.step import (
    first_slots,
    largest_gain,
    reference_step,
    step_difference,
)
from parity.reference.optimizers.table import OPTIMIZERS
from parity.specs.run import Spec
from parity_tests.support import records
from parity_tests.support.records import Pair

LONG = 30
KERNEL = "logits/kernel"


def with_optimizer(**fields: Any) -> Spec:
    return dataclasses.replace(records.spec(), optimizer=OptimizerSpec(**fields))


@pytest.fixture
def long(tmp_path: Path) -> Pair:
    return Pair(tmp_path, records.spec("cnn", input_shape=(6, 6, 1)), steps=LONG)


def moved(pair: Pair, names: Mapping[str, float], sides: tuple[str, ...]) -> None:
    """Let the ensembles of some sides have moved tensors."""
    for side in sides:
        pair.set_header(side, rounding={f"float64/{name}": by for name, by in names.items()})


def wrong(pair: Pair) -> list[str]:
    with pair.compared() as comparison:
        return [f"{check.dtype}/{check.rung}/{check.tensor}" for check in comparison.failed]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("size", [0.0, 1e-9, 1e-7, 1e-3, 1.0])
def test_step_difference_equals_the_effect_of_a_step(name: str, size: float) -> None:
    """A small difference of a gradient stands in the weight as the formula of the step says."""
    spec = OptimizerSpec(name=name, learning_rate=0.5)
    weight = np.zeros(1)
    slots = first_slots(spec, weight)
    away = 1e-6 * (size or 1e-9)
    after = [
        reference_step(spec, 1, weight, np.array([gradient]), slots)[0]
        for gradient in (size, size + away)
    ]
    found = float(abs(after[1] - after[0])[0])
    allowed = step_difference(spec, weight, np.array([size]), np.array([size + away]))
    assert allowed == found


@pytest.mark.parametrize("options", [{}, {"clipvalue": 0.5}, {"ema_momentum": 0.5}], ids=str)
@pytest.mark.parametrize(
    "name", [name for name in OPTIMIZERS if largest_gain(OptimizerSpec(name=name)) < math.inf]
)
def test_no_step_difference_exceeds_the_largest_gain(name: str, options: dict[str, Any]) -> None:
    """Whatever the gradients, the first step magnifies their difference no more than is said."""
    spec = OptimizerSpec(name=name, learning_rate=0.5, **options)
    rng = np.random.default_rng(0)
    weight = rng.normal(size=100)
    for size, away in itertools.product(10.0 ** np.arange(-14, 3), repeat=2):
        a = size * rng.normal(size=100)
        b = a + away * rng.normal(size=100)
        found = step_difference(spec, weight, a, b)
        assert found <= largest_gain(spec) * abs(a - b).max() * (1 + 1e-9) + 1e-13 * (3 + found)
    small = step_difference(spec, np.zeros(1), np.zeros(1), np.array([1e-12]))
    assert small == pytest.approx(largest_gain(spec) * 1e-12, rel=1e-3)


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm"])
def test_clipped_norms_have_no_largest_gain(clip: str) -> None:
    """A clipped norm lets one entry move all others, which no slope of one entry tells."""
    assert largest_gain(OptimizerSpec(name="sgd", **{clip: 1.0})) == math.inf


@pytest.mark.parametrize("epsilon", [1e-7, 1e-20])
def test_rounding_of_a_gradient_excuses_no_other_weight(tmp_path: Path, epsilon: float) -> None:
    """Where gradients are large Adam magnifies nothing, however small its epsilon."""
    pair = Pair(tmp_path, with_optimizer(name="adam", epsilon=epsilon))
    pair.torch[f"float64/gradients/{KERNEL}"] *= 1 + 2**-52
    pair.torch[f"float64/step/weights/{KERNEL}"] *= 1 + 1e-9
    assert wrong(pair) == [f"float64/step/weights/{KERNEL}"]


def test_rounding_next_to_zero_is_magnified(tmp_path: Path) -> None:
    """A gradient of 0 on one side and 1e-14 on the other: Adam makes 3e-12 of it, no fault."""
    pair = Pair(tmp_path, with_optimizer(name="adam"))
    pair.keras[f"float64/gradients/{KERNEL}"][0, 0] = 0.0
    pair.torch[f"float64/gradients/{KERNEL}"][0, 0] = 5e-13
    pair.torch[f"float64/step/weights/{KERNEL}"][0, 0] += 5e-13 * 300
    assert wrong(pair) == []
    pair.folder /= "not"
    pair.torch[f"float64/gradients/{KERNEL}"][0, 0] = 0.0
    assert wrong(pair) == [f"float64/step/weights/{KERNEL}"]


@pytest.mark.parametrize("sides", [("keras",), ("torch",), ("keras", "torch")])
def test_one_ensemble_does_not_excuse_the_other_side(long: Pair, sides: tuple[str, ...]) -> None:
    """Late in a long ladder float64 may drift as far as both sides' own ensembles do."""
    name = f"steps/20/weights/{KERNEL}"
    moved(long, {name: 1e-6}, sides)
    long.torch[f"float64/{name}"][0, 0] += 1e-6
    assert wrong(long) == ([] if len(sides) == 2 else [f"float64/{name}"])


@pytest.mark.parametrize("by", [1e-6, 10.0])
def test_short_ladders_have_no_ensemble_to_excuse(tmp_path: Path, by: float) -> None:
    """What a header says of float64 within ten steps counts for nothing."""
    pair = Pair(tmp_path, records.spec())
    names = [name for name in pair.keras if "/weights/" in name and name.startswith("float64")]
    for side in ("keras", "torch"):
        pair.set_header(side, rounding=dict.fromkeys(names, by))
    pair.torch[f"float64/steps/weights/{KERNEL}"][0, 0] += 1e-9
    assert wrong(pair) == [f"float64/steps/weights/{KERNEL}"]


@pytest.mark.parametrize("step", [1, 5, 20])
def test_saturation_at_the_end_leaves_early_losses_judged(long: Pair, step: int) -> None:
    """The loss of a kept step is judged as long as the weights before it are."""
    kernel = f"steps/weights/{KERNEL}"
    moved(long, {kernel: 10.0, "steps/losses": 10.0}, ("keras", "torch"))
    name = "float64/step/loss" if step == 1 else f"float64/steps/{step}/loss"
    for values in (long.torch, long.keras):
        values[name] = values["float64/steps/losses"][step - 1].copy()
    long.torch[name] += 1e-9
    assert wrong(long) == [name]


@pytest.mark.parametrize("sides", [("keras", "torch"), ()])
def test_near_ties_are_open_only_where_outputs_are(long: Pair, sides: tuple[str, ...]) -> None:
    """A label whose lead is within what the outputs may differ by may change, no other may."""
    moved(long, {"predictions/outputs": 0.01}, sides)
    for values in long.both():
        values["float64/predictions/outputs"][0] = [1.0, 1.01, 0.0]
        values["float64/predictions/outputs"][1] = [1.0, 2.0, 0.0]
        values["float64/predictions/labels"][:] = 1
    long.torch["float64/predictions/labels"][0] = 0
    assert wrong(long) == ([] if sides else ["float64/predictions/labels"])
    long.folder /= "clear"
    long.torch["float64/predictions/labels"][1] = 0
    assert wrong(long) == ["float64/predictions/labels"]
