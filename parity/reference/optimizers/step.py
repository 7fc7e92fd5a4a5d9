"""One step of Keras's optimizers in NumPy, with the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from parity.reference.optimizers.formulas import updated
from parity.reference.optimizers.moments import After
from parity.reference.optimizers.settings import of_spec
from parity.reference.optimizers.spec import AVERAGE, OptimizerSpec


def first_slots(
    spec: OptimizerSpec, weight: np.ndarray, flavour: str = "tf_keras"
) -> dict[str, np.ndarray]:
    """The slots before the first step, of the weight's shape and dtype."""
    found = {slot: np.zeros_like(weight) for slot in spec.slots}
    if "accumulator" in found:
        found["accumulator"] += spec.constants()["initial_accumulator_value"]
    if AVERAGE in found and flavour == "tf_keras":
        found[AVERAGE] = weight.copy()
    return found


def reference_step(
    spec: OptimizerSpec,
    step: int,
    weight: np.ndarray,
    gradient: np.ndarray,
    slots: Mapping[str, np.ndarray],
    norm: float | None = None,
    flavour: str = "tf_keras",
) -> After:
    """One step of the update rule, then of the weights' average e ← κ·e + (1 − κ)w.

    In Keras 2 e starts as the initial weights, in Keras 3 as those after the first step.

    Args:
        spec: the optimizer, without gradient accumulation.
        step: number of this step, from 1.
        weight: float64, any shape.
        gradient: float64, the weight's shape.
        slots: the slots before the step (:attr:`OptimizerSpec.slots`), at first
            :func:`first_slots`.
        norm: of all gradients together; see :func:`.formulas.clipped`.
        flavour: the Keras.

    Returns:
        The weight and the slots after the step; the arguments are not changed.
    """
    settings = of_spec(spec, flavour)
    weight, found = updated(settings.kind, settings.values, step, weight, gradient, slots, norm)
    if AVERAGE in slots:
        kept = 0.0 if flavour == "keras3" and step == 1 else spec.constants()["ema_momentum"]
        found[AVERAGE] = kept * slots[AVERAGE] + (1 - kept) * weight
        every = spec.ema_overwrite_frequency
        if every and step % every == 0:
            weight = found[AVERAGE].copy()
    return weight, found


def step_difference(spec: OptimizerSpec, weight: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest absolute difference of a weight after a first step with two gradients.

    Adam divides by the size of the gradient: with default settings, a difference of 1e-16 from a
    gradient of zero becomes 316 times as large in the weight.

    Args:
        spec: the optimizer.
        weight: before the step, float64, any shape.
        a: gradient, float64, of the weight's shape.
        b: the other gradient, of the same shape.
    """
    after = [reference_step(spec, 1, weight, g, first_slots(spec, weight))[0] for g in (a, b)]
    return float(np.abs(after[0] - after[1]).max(initial=0.0))


def largest_gain(spec: OptimizerSpec) -> float:
    """Return the largest ratio of :func:`step_difference` to the gradients' difference.

    It is the slope of the first step at a gradient of zero, where Adam's α·√(1 − β₂)·g /
    (√(1 − β₂)·|g| + ε) and that of similar optimizers is largest; inf if it is not derived.
    """
    c = spec.constants()
    if c["clipnorm"] or c["global_clipnorm"]:
        return math.inf
    rate = c["learning_rate"]
    match spec.name:
        case "sgd" | "momentum":
            return rate
        case "nesterov":
            return rate * (1 + c["momentum"])
        case "adam" | "amsgrad" | "adamw":
            return rate * math.sqrt(1 - c["beta_2"]) / c["epsilon"]
        case "adagrad":
            return rate / math.sqrt(c["initial_accumulator_value"] + c["epsilon"])
        case "rmsprop":
            return rate / math.sqrt(c["epsilon"])
    return math.inf
