"""The update rule of every optimizer, once, with the settings in which the frameworks differ.

Symbols: w weight, g gradient, t the step's number from 1, α learning rate, ε epsilon. Each rule is
stated with Keras's settings; :data:`FORMULAS` lists what PyTorch computes differently.

========  =============================================================================
sgd       v ← μ·v − α·g;  w ← w + v;  Nesterov: w ← w + μ·v − α·g
          PyTorch: v ← μ·v − g;  w ← w + α·v, so that a new rate scales the whole buffer
adam      m ← m + (g − m)(1 − β₁);  s ← s + (g² − s)(1 − β₂);
          w ← w − m · α·√(1 − β₂ᵗ)/(1 − β₁ᵗ) / (√s + ε); AMSGrad: the largest s so far
          PyTorch: ε is added to the corrected root √(s/(1 − β₂ᵗ))
adamax    m as adam;  u ← max(β₂·u, |g|);  w ← w − α·m / ((1 − β₁ᵗ)(u + ε))
          PyTorch: u ← max(β₂·u, |g| + ε), divided by as it is
nadam     m, s as adam;  μₜ = β₁(1 − ½·0.96ᵗ);  Π = μ₁⋯μₜ;
          m̂ = μₜ₊₁·m/(1 − Π·μₜ₊₁) + (1 − μₜ)·g/(1 − Π);  w ← w − α·m̂ / (√(s/(1 − β₂ᵗ)) + ε)
          Keras 2 rounds 0.96 to float32, Keras 3 only outside Π, PyTorch never; PyTorch's
          exponent is t·momentum_decay
adagrad   a ← a + g²;  w ← w − α·g/√(a + ε)
adadelta  a ← ρ·a + (1 − ρ)g²;  d = √(b + ε)·g/√(a + ε);  b ← ρ·b + (1 − ρ)d²;
          w ← w − α·d
rmsprop   s ← ρ·s + (1 − ρ)g²;  d = g/√(s + ε);  w ← w − α·d
          centered: c ← ρ·c + (1 − ρ)g, and s − c² instead of s
          with momentum: v ← μ·v + α·d;  w ← w − v, in PyTorch as sgd's
ftrl      h = g + 2·λₛ·w;  n = a + g²;  z ← z + h − (n⁻ᵖ − a⁻ᵖ)/α·w;  a ← n;
          w ← (clip(z, ±λ₁) − z) / (n⁻ᵖ/α + 2(λ₂ + β/(2α)))
lion      w ← w − α·sign(β₁·m + (1 − β₁)g);  m ← β₂·m + (1 − β₂)g
========  =============================================================================

lamb, adafactor and muon, which use a tensor as a whole, are in :mod:`.tensorwise`. PyTorch's
Adagrad and RMSprop add ε to the root, Keras's to its argument.

Sources: ``tf_keras/src/optimizers/*.py``, ``keras/src/optimizers/*.py``, ``torch/optim/*.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from parity.reference.optimizers.moments import After, Slots, Values, first_moment, moments
from parity.reference.optimizers.tensorwise import adafactor, lamb, muon

RATE_INSIDE, RATE_OUTSIDE = "holds the rate", "is multiplied by it"
"""Whether each gradient enters the momentum buffer times the learning rate of its step."""

DECOUPLED, IN_GRADIENT = "decoupled", "in the gradient"
"""Whether weight decay shrinks the weight before the step, or is added to the gradient."""

INSIDE_ROOT, OUTSIDE_ROOT = "inside the root", "outside the root"
INSIDE_MAXIMUM, OUTSIDE_MAXIMUM = "inside the maximum", "outside the maximum"
BEFORE_CORRECTION, AFTER_CORRECTION = "before the correction", "after the correction"

NADAM_DECAY = float(np.float32(0.96))

COMMON: Values = {
    **{"learning_rate": 0.0, "weight_decay": 0.0},
    **{"clipnorm": 0.0, "clipvalue": 0.0, "global_clipnorm": 0.0, "clip_epsilon": 0.0},
    "decay": DECOUPLED,
}
"""The settings of every optimizer, as :attr:`Formula.settings`."""


@dataclass(frozen=True)
class Formula:
    """An update rule and its settings in each framework.

    Attributes:
        update: (settings, step from 1, weight, gradient, slots) → weight and slots.
        classes: the frameworks' classes that compute it.
        settings: every setting but :data:`COMMON` ones. Those that a framework fixes have Keras 2's
            value, those that a user sets a value without effect.
        keras3: the settings that Keras 3 fixes differently.
        torch: the settings that ``torch.optim`` fixes differently; None if no settings give the
            rule of its class.
    """

    update: Callable[[Values, int, np.ndarray, np.ndarray, Slots], After]
    classes: tuple[str, ...]
    settings: Values
    keras3: Values = field(default_factory=dict)
    torch: Values | None = field(default_factory=dict)


def clipped(c: Values, gradient: np.ndarray, norm: float | None = None) -> np.ndarray:
    """The gradient after Keras's clipping.

    clipnorm and global_clipnorm: g·c / max(‖g‖, c); clipvalue: min(max(g, −c), c). PyTorch's
    clip_grad_norm_ multiplies by min(1, c / (‖g‖ + 1e-6)).

    Args:
        c: the settings; 0 for no limit.
        gradient: float64, any shape.
        norm: of all gradients together, for ``global_clipnorm``; if None, this one is all there is.
    """
    if largest := c["global_clipnorm"] or c["clipnorm"]:
        if norm is None or not c["global_clipnorm"]:
            norm = math.sqrt(float((gradient**2).sum()))
        if epsilon := c.get("clip_epsilon"):
            return np.asarray(gradient * min(1.0, largest / (norm + epsilon)))
        return np.asarray(gradient * (largest / max(norm, largest)))
    if c["clipvalue"]:
        return gradient.clip(-c["clipvalue"], c["clipvalue"])
    return gradient


def updated(
    kind: str,
    c: Values,
    step: int,
    weight: np.ndarray,
    gradient: np.ndarray,
    slots: Slots,
    norm: float | None = None,
) -> After:
    """One optimizer step on one weight: clipping, weight decay, then the update rule.

    Args:
        kind: a name in :data:`FORMULAS`.
        c: its settings, all of them.
        step: number of this step, from 1.
        weight: float64, any shape.
        gradient: float64, the weight's shape.
        slots: as the last step returned them; empty before the first.
        norm: see :func:`clipped`.

    Returns:
        The weight and the slots after the step; the arguments are not changed.
    """
    gradient, decay = clipped(c, gradient, norm), c["weight_decay"]
    if decay and c["decay"] == DECOUPLED:
        weight = weight - weight * decay * c["learning_rate"]
    elif decay:
        gradient = gradient + decay * weight
    return FORMULAS[kind].update(c, step, weight, gradient, slots)


def _rates(c: Values) -> tuple[float, float]:
    """What a gradient is multiplied by before it enters the momentum buffer, and the buffer by."""
    rate = float(c["learning_rate"])
    return (rate, 1.0) if c["momentum_buffer"] == RATE_INSIDE else (1.0, rate)


def _rooted(c: Values, square: np.ndarray) -> np.ndarray:
    if c["epsilon_placement"] == INSIDE_ROOT:
        return np.asarray(np.sqrt(square + c["epsilon"]))
    return np.asarray(np.sqrt(square) + c["epsilon"])


def _sgd(c: Values, step: int, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    if not c["momentum"]:
        return w - c["learning_rate"] * g, {}
    inside, outside = _rates(c)
    kept = 1.0 if step == 1 else 1.0 - c["dampening"]
    velocity = np.asarray(c["momentum"] * s.get("velocity", 0.0) - inside * kept * g)
    ahead = c["momentum"] * velocity - inside * g if c["nesterov"] else velocity
    return w + outside * ahead, {"velocity": velocity}


def _adam(c: Values, step: int, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    found = moments(c, g, s)
    largest = found["v"]
    if c["amsgrad"]:
        largest = found["v_hat"] = np.maximum(s.get("v_hat", 0.0), largest)
    correction = math.sqrt(1 - c["beta_2"] ** step)
    epsilon = c["epsilon"] * (correction if c["epsilon_placement"] == AFTER_CORRECTION else 1.0)
    rate = c["learning_rate"] * correction / (1 - c["beta_1"] ** step)
    return w - found["m"] * rate / (np.sqrt(largest) + epsilon), found


def _adamax(c: Values, step: int, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    inside = c["epsilon"] if c["epsilon_placement"] == INSIDE_MAXIMUM else 0.0
    m, u = first_moment(c, g, s), np.maximum(c["beta_2"] * s.get("u", 0.0), np.abs(g) + inside)
    divisor = (1 - c["beta_1"] ** step) * (u + (c["epsilon"] - inside))
    return w - c["learning_rate"] * m / divisor, {"m": m, "u": u}


def _nadam(c: Values, step: int, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    def momentum(t: int, base: str) -> float:
        return float(c["beta_1"] * (1 - 0.5 * c[base] ** (t * c["momentum_decay"])))

    found = moments(c, g, s)
    now, following = (momentum(t, "decay_base") for t in (step, step + 1))
    product = math.prod(momentum(t, "product_base") for t in range(1, step + 1))
    m = following * found["m"] / (1 - product * following) + (1 - now) * g / (1 - product)
    v = found["v"] / (1 - c["beta_2"] ** step)
    return w - m * c["learning_rate"] / (np.sqrt(v) + c["epsilon"]), found


def _adagrad(c: Values, step: int, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    a = np.asarray(s.get("accumulator", c["initial_accumulator_value"]) + g**2)
    return w - c["learning_rate"] * g / _rooted(c, a), {"accumulator": a}


def _adadelta(c: Values, step: int, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    rho, epsilon, before = c["rho"], c["epsilon"], s.get("accumulated_delta_var", 0.0)
    a = np.asarray(rho * s.get("accumulated_grad", 0.0) + (1 - rho) * g**2)
    delta = np.sqrt(before + epsilon) * g / np.sqrt(a + epsilon)
    found = {"accumulated_grad": a, "accumulated_delta_var": rho * before + (1 - rho) * delta**2}
    return w - c["learning_rate"] * delta, found


def _rmsprop(c: Values, step: int, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    rho = c["rho"]
    found = {"velocity": np.asarray(rho * s.get("velocity", 0.0) + (1 - rho) * g**2)}
    square = found["velocity"]
    if c["centered"]:
        mean = np.asarray(rho * s.get("average_gradient", 0.0) + (1 - rho) * g)
        found["average_gradient"], square = mean, square - mean**2
    inside, outside = _rates(c)
    scaled = inside * g / _rooted(c, square)
    if not c["momentum"]:
        return w - outside * scaled, found
    found["momentum"] = np.asarray(c["momentum"] * s.get("momentum", 0.0) + scaled)
    return w - outside * found["momentum"], found


def _ftrl(c: Values, step: int, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    rate, power = c["learning_rate"], -c["learning_rate_power"]
    l1 = c["l1_regularization_strength"]
    l2 = c["l2_regularization_strength"] + c["beta"] / (2 * rate)
    before = s.get("accumulator", np.full_like(w, c["initial_accumulator_value"]))
    squares = before + g**2
    shrunk = g + 2 * c["l2_shrinkage_regularization_strength"] * w
    linear = s.get("linear", 0.0) + shrunk - (squares**power - before**power) / rate * w
    after = (linear.clip(-l1, l1) - linear) / (squares**power / rate + 2 * l2)
    return after, {"accumulator": squares, "linear": linear}


def _lion(c: Values, step: int, w: np.ndarray, g: np.ndarray, s: Slots) -> After:
    m = s.get("m", np.zeros_like(g))
    direction = np.sign(m * c["beta_1"] + g * (1 - c["beta_1"]))
    after = m * c["beta_2"] + g * (1 - c["beta_2"])
    return w - c["learning_rate"] * direction, {"m": after}


_MOMENTS: Values = {"beta_1": 0.0, "beta_2": 0.0, "epsilon": 0.0}

FORMULAS: dict[str, Formula] = {
    "sgd": Formula(
        _sgd,
        ("SGD",),
        {"momentum": 0.0, "momentum_buffer": RATE_INSIDE, "nesterov": False, "dampening": 0.0},
        torch={"momentum_buffer": RATE_OUTSIDE},
    ),
    "adam": Formula(
        _adam,
        ("Adam", "AdamW"),
        {**_MOMENTS, "amsgrad": False, "epsilon_placement": BEFORE_CORRECTION},
        torch={"epsilon_placement": AFTER_CORRECTION},
    ),
    "adamax": Formula(
        _adamax,
        ("Adamax",),
        {**_MOMENTS, "epsilon_placement": OUTSIDE_MAXIMUM},
        torch={"epsilon_placement": INSIDE_MAXIMUM},
    ),
    "nadam": Formula(
        _nadam,
        ("Nadam", "NAdam"),
        {
            **_MOMENTS,
            "momentum_decay": 1.0,
            "decay_base": NADAM_DECAY,
            "product_base": NADAM_DECAY,
        },
        keras3={"product_base": 0.96},
        torch={"decay_base": 0.96, "product_base": 0.96},
    ),
    "adagrad": Formula(
        _adagrad,
        ("Adagrad",),
        {"epsilon": 0.0, "initial_accumulator_value": 0.0, "epsilon_placement": INSIDE_ROOT},
        torch={"epsilon_placement": OUTSIDE_ROOT},
    ),
    "adadelta": Formula(_adadelta, ("Adadelta",), {"rho": 0.0, "epsilon": 0.0}),
    "rmsprop": Formula(
        _rmsprop,
        ("RMSprop",),
        {
            **{"momentum": 0.0, "momentum_buffer": RATE_INSIDE, "rho": 0.0, "epsilon": 0.0},
            **{"centered": False, "epsilon_placement": INSIDE_ROOT},
        },
        torch={"momentum_buffer": RATE_OUTSIDE, "epsilon_placement": OUTSIDE_ROOT},
    ),
    "ftrl": Formula(
        _ftrl,
        ("Ftrl",),
        {
            "initial_accumulator_value": 0.0,
            "learning_rate_power": -0.5,
            "l1_regularization_strength": 0.0,
            "l2_regularization_strength": 0.0,
            "l2_shrinkage_regularization_strength": 0.0,
            "beta": 0.0,
        },
    ),
    "lion": Formula(_lion, ("Lion",), {"beta_1": 0.0, "beta_2": 0.0}),
    "lamb": Formula(lamb, ("Lamb",), _MOMENTS, torch=None),
    "adafactor": Formula(
        adafactor,
        ("Adafactor",),
        {"beta_2_decay": 0.0, "epsilon_1": 0.0, "epsilon_2": 0.0, "clip_threshold": 1.0},
        torch=None,
    ),
    "muon": Formula(
        muon,
        ("Muon",),
        {"momentum": 0.0, "nesterov": False, "ns_steps": 0, "rms_rate": None},
        torch=None,
    ),
}
"""Name to update rule."""

OF_CLASS = {kind: name for name, formula in FORMULAS.items() for kind in formula.classes}
"""Class of either framework to the name of its formula."""
