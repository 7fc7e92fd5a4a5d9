"""Keras's formulas in plain NumPy.

Sources: ``tf_keras/src/optimizers/*.py`` and ``keras/src/optimizers/*.py``, which agree but where
said. w weight, g gradient, t the step's number from 1, α learning rate, ε epsilon.

========  =============================================================================
sgd       w ← w − α·g
momentum  v ← μ·v − α·g;  w ← w + v
nesterov  v ← μ·v − α·g;  w ← w + μ·v − α·g
adam      m ← m + (g − m)(1 − β₁);  s ← s + (g² − s)(1 − β₂);
          w ← w − m · α·√(1 − β₂ᵗ)/(1 − β₁ᵗ) / (√s + ε)
amsgrad   as adam, with the largest s so far in place of s
adamw     as adam, with a weight decay by default
adamax    m as adam;  u ← max(β₂·u, |g|);  w ← w − α·m / ((1 − β₁ᵗ)(u + ε))
nadam     m, s as adam;  μₜ = β₁(1 − ½·0.96ᵗ);  Π = μ₁⋯μₜ;
          m̂ = μₜ₊₁·m/(1 − Π·μₜ₊₁) + (1 − μₜ)·g/(1 − Π);
          w ← w − α·m̂ / (√(s/(1 − β₂ᵗ)) + ε); Keras 3 does not round the 0.96 in Π to float32
adagrad   a ← a + g²;  w ← w − α·g/√(a + ε)
adadelta  a ← ρ·a + (1 − ρ)g²;  d = √(b + ε)·g/√(a + ε);  b ← ρ·b + (1 − ρ)d²;
          w ← w − α·d
rmsprop   s ← ρ·s + (1 − ρ)g²;  d = α·g/√(s + ε);  w ← w − d
          centered: c ← ρ·c + (1 − ρ)g, and s − c² for s within the root
          with momentum: v ← μ·v + d;  w ← w − v
ftrl      h = g + 2·λₛ·w;  n = a + g²;  z ← z + h − (n⁻ᵖ − a⁻ᵖ)/α·w;  a ← n;
          w ← (clip(z, ±λ₁) − z) / (n⁻ᵖ/α + 2(λ₂ + β/(2α)))
lion      w ← w − α·sign(β₁·m + (1 − β₁)g);  m ← β₂·m + (1 − β₂)g
========  =============================================================================

Before it, in this order, with c the largest norm or entry and λ the weight decay; after it, with κ
the average's momentum:

===============  ======================================================================
clipnorm         g ← g·c / max(‖g‖, c), each tensor by itself
global_clipnorm  g ← g·c·min(1/‖all g‖, 1/c)
clipvalue        g ← min(max(g, −c), c)
weight_decay     w ← w − w·λ·α, every trained tensor, biases as well
ema_momentum     e ← κ·e + (1 − κ)w; in Keras 2 e begins as the first weights, in Keras 3 as
                 those after the first step
===============  ======================================================================

PyTorch parts from them in many places; those that users meet first: its momentum buffer is not
scaled by the rate (so a change of rate acts at once on the whole buffer), its Adam adds ε after
correcting s, its RMSprop and Adagrad add ε outside the root, its weight decay is added to the
gradient in all but AdamW, and ``clip_grad_norm_`` adds 1e-6 to the norm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from parity.reference.optimizers.spec import AVERAGE, OptimizerSpec

Slots = dict[str, np.ndarray]
After = tuple[np.ndarray, Slots]

NADAM_DECAY = float(np.float32(0.96))


@dataclass(frozen=True)
class At:
    """Where a formula stands: the spec's constants, the step's number from 1, and the Keras."""

    constants: Mapping[str, float]
    step: int
    flavour: str


def first_slots(spec: OptimizerSpec, weight: np.ndarray, flavour: str = "tf_keras") -> Slots:
    """The slots before the first step, of the weight's shape and dtype."""
    filled = spec.constants().get("initial_accumulator_value", 0.0)
    found = {slot: np.zeros_like(weight) for slot in spec.slots}
    if "accumulator" in found:
        found["accumulator"] += filled
    if AVERAGE in found and flavour == "tf_keras":
        found[AVERAGE] = weight.copy()
    return found


def clipped(spec: OptimizerSpec, gradient: np.ndarray, norm: float | None = None) -> np.ndarray:
    """The gradient as the formula gets it.

    Args:
        spec: the optimizer.
        gradient: float64, any shape.
        norm: of all gradients together, for ``global_clipnorm``; if None, this one is all there is.
    """
    c = spec.constants()
    if largest := c["clipnorm"] or c["global_clipnorm"]:
        if c["clipnorm"] or norm is None:
            norm = math.sqrt(float((gradient**2).sum()))
        return np.asarray(gradient * (largest / max(norm, largest)))
    if c["clipvalue"]:
        return gradient.clip(-c["clipvalue"], c["clipvalue"])
    return gradient


def reference_step(
    spec: OptimizerSpec,
    step: int,
    weight: np.ndarray,
    gradient: np.ndarray,
    slots: Mapping[str, np.ndarray],
    norm: float | None = None,
    flavour: str = "tf_keras",
) -> After:
    """One step of the formulas above.

    Args:
        spec: the optimizer, without gradient accumulation.
        step: number of this step, from 1.
        weight: float64, any shape.
        gradient: float64, the weight's shape.
        slots: the slots before the step (:attr:`OptimizerSpec.slots`), at first
            :func:`first_slots`.
        norm: of all gradients together; see :func:`clipped`.
        flavour: the Keras.

    Returns:
        The weight and the slots after the step; the arguments are left alone.
    """
    c = spec.constants()
    gradient = clipped(spec, gradient, norm)
    weight = weight - weight * c["weight_decay"] * c["learning_rate"]
    weight, found = FORMULAS[spec.name](At(c, step, flavour), weight, gradient, dict(slots))
    if AVERAGE in slots:
        kept = 0.0 if flavour == "keras3" and step == 1 else c["ema_momentum"]
        found[AVERAGE] = kept * slots[AVERAGE] + (1 - kept) * weight
        every = spec.ema_overwrite_frequency
        if every and step % every == 0:
            weight = found[AVERAGE].copy()
    return weight, found


def handed_down(spec: OptimizerSpec, weight: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """How far apart two gradients put a weight in the first step, at most over its entries.

    Adam divides by the gradient's own size: a difference of 1e-16 next to a gradient of zero comes
    to 316 times as much in the weight, at usual values.

    Args:
        spec: the optimizer.
        weight: before the step, float64, any shape.
        a: gradient, float64, of the weight's shape.
        b: the other.

    Returns:
        The largest absolute difference.
    """
    after = [reference_step(spec, 1, weight, g, first_slots(spec, weight))[0] for g in (a, b)]
    return float(np.abs(after[0] - after[1]).max(initial=0.0))


def steepest(spec: OptimizerSpec) -> float:
    """How many times a gradient's difference :func:`handed_down` can be; inf where not worked out.

    The slope of the first step at a gradient of zero, where Adam's and its kin's is largest: it is
    α·√(1 − β₂)·g / (√(1 − β₂)·|g| + ε).
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


def _sgd(at: At, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    c = at.constants
    return w - c["learning_rate"] * g, s


def _momentum(at: At, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    c = at.constants
    velocity = c["momentum"] * s["velocity"] - c["learning_rate"] * g
    return w + velocity, {"velocity": velocity}


def _nesterov(at: At, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    c = at.constants
    velocity = c["momentum"] * s["velocity"] - c["learning_rate"] * g
    return w + c["momentum"] * velocity - c["learning_rate"] * g, {"velocity": velocity}


def _moments(c: Mapping[str, float], g: np.ndarray, s: Slots) -> Slots:
    """Adam's two moments, after g."""
    m = s["m"] + (g - s["m"]) * (1 - c["beta_1"])
    return {"m": m, "v": s["v"] + (g**2 - s["v"]) * (1 - c["beta_2"])}


def _adam(at: At, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    c = at.constants
    found = _moments(c, g, s)
    largest = found["v"]
    if "v_hat" in s:
        largest = found["v_hat"] = np.maximum(s["v_hat"], found["v"])
    rate = c["learning_rate"] * math.sqrt(1 - c["beta_2"] ** at.step) / (1 - c["beta_1"] ** at.step)
    return w - found["m"] * rate / (np.sqrt(largest) + c["epsilon"]), found


def _adamax(at: At, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    c = at.constants
    m = s["m"] + (g - s["m"]) * (1 - c["beta_1"])
    u = np.maximum(c["beta_2"] * s["u"], np.abs(g))
    moved = c["learning_rate"] * m / ((1 - c["beta_1"] ** at.step) * (u + c["epsilon"]))
    return w - moved, {"m": m, "u": u}


def _nadam(at: At, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    c = at.constants
    found = _moments(c, g, s)
    now, following = (c["beta_1"] * (1 - 0.5 * NADAM_DECAY**t) for t in (at.step, at.step + 1))
    decay = 0.96 if at.flavour == "keras3" else NADAM_DECAY
    product = math.prod(c["beta_1"] * (1 - 0.5 * decay**t) for t in range(1, at.step + 1))
    m = following * found["m"] / (1 - product * following) + (1 - now) * g / (1 - product)
    v = found["v"] / (1 - c["beta_2"] ** at.step)
    return w - m * c["learning_rate"] / (np.sqrt(v) + c["epsilon"]), found


def _adagrad(at: At, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    c = at.constants
    accumulator = s["accumulator"] + g**2
    moved = c["learning_rate"] * g / np.sqrt(accumulator + c["epsilon"])
    return w - moved, {"accumulator": accumulator}


def _adadelta(at: At, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    c = at.constants
    rho, epsilon, before = c["rho"], c["epsilon"], s["accumulated_delta_var"]
    squares = rho * s["accumulated_grad"] + (1 - rho) * g**2
    delta = np.sqrt(before + epsilon) * g / np.sqrt(squares + epsilon)
    moves = rho * before + (1 - rho) * delta**2
    found = {"accumulated_grad": squares, "accumulated_delta_var": moves}
    return w - c["learning_rate"] * delta, found


def _rmsprop(at: At, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    c = at.constants
    rho = c["rho"]
    found = {"velocity": rho * s["velocity"] + (1 - rho) * g**2}
    inside = found["velocity"]
    if "average_gradient" in s:
        mean = found["average_gradient"] = rho * s["average_gradient"] + (1 - rho) * g
        inside = inside - mean**2
    moved = c["learning_rate"] * g / np.sqrt(inside + c["epsilon"])
    if "momentum" in s:
        moved = found["momentum"] = c["momentum"] * s["momentum"] + moved
    return w - moved, found


def _ftrl(at: At, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    c = at.constants
    rate, power = c["learning_rate"], -c["learning_rate_power"]
    l1 = c["l1_regularization_strength"]
    l2 = c["l2_regularization_strength"] + c["beta"] / (2 * rate)
    squares = s["accumulator"] + g**2
    shrunk = g + 2 * c["l2_shrinkage_regularization_strength"] * w
    linear = s["linear"] + shrunk - (squares**power - s["accumulator"] ** power) / rate * w
    after = (linear.clip(-l1, l1) - linear) / (squares**power / rate + 2 * l2)
    return after, {"accumulator": squares, "linear": linear}


def _lion(at: At, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    c = at.constants
    beta_1, beta_2 = c["beta_1"], c["beta_2"]
    moved = c["learning_rate"] * np.sign(s["m"] * beta_1 + g * (1 - beta_1))
    return w - moved, {"m": s["m"] * beta_2 + g * (1 - beta_2)}


FORMULAS: dict[str, Callable[[At, np.ndarray, np.ndarray, Slots], After]] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "adam": _adam,
    "amsgrad": _adam,
    "adamw": _adam,
    "adamax": _adamax,
    "nadam": _nadam,
    "adagrad": _adagrad,
    "adadelta": _adadelta,
    "rmsprop": _rmsprop,
    "ftrl": _ftrl,
    "lion": _lion,
}
"""Optimizer to (where, weight, gradient, slots) → (weight, slots)."""
