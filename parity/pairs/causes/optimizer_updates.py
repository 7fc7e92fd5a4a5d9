"""What an optimizer takes off a weight: one formula for both frameworks, parted by settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Values = Mapping[str, Any]
Slots = dict[str, np.ndarray]

HOLDS_RATE = "holds the rate"
"""Of a momentum in Keras: each step's gradient comes into it with the rate of that step."""


def clipped(c: Values, g: np.ndarray, norm: float) -> np.ndarray:
    """A gradient as Keras clips it, by itself or by the norm of all together."""
    if c["global_clipnorm"]:
        return np.asarray(g * c["global_clipnorm"] / max(norm, c["global_clipnorm"]))
    if c["clipnorm"]:
        return np.asarray(g * c["clipnorm"] / max(float(np.sqrt((g**2).sum())), c["clipnorm"]))
    return g.clip(-c["clipvalue"], c["clipvalue"]) if c["clipvalue"] else g


def _sgd(c: Values, g: np.ndarray, s: Slots, step: int) -> np.ndarray:
    if not c["momentum"]:
        return np.asarray(c["learning_rate"] * g)
    inside, outside = _around(c)
    new = g if step == 1 else (1.0 - c["dampening"]) * g
    s["b"] = c["momentum"] * s.get("b", 0.0) + inside * new
    moved = inside * g + c["momentum"] * s["b"] if c["nesterov"] else s["b"]
    return np.asarray(outside * moved)


def _around(c: Values) -> tuple[float, float]:
    """What gradients are multiplied by before momentum adds them up, and what behind it."""
    rate = float(c["learning_rate"])
    return (rate, 1.0) if c["momentum_buffer"] == HOLDS_RATE else (1.0, rate)


def _adam(c: Values, g: np.ndarray, s: Slots, step: int) -> np.ndarray:
    s["m"] = s.get("m", 0.0) + (g - s.get("m", 0.0)) * (1.0 - c["beta_1"])
    s["v"] = s.get("v", 0.0) + (g**2 - s.get("v", 0.0)) * (1.0 - c["beta_2"])
    largest = s["v"]
    if c["amsgrad"]:
        largest = s["largest"] = np.maximum(s.get("largest", 0.0), s["v"])
    correction = math.sqrt(1.0 - c["beta_2"] ** step)
    epsilon = c["epsilon"]
    if c["epsilon_placement"] == "after the correction":
        epsilon = epsilon * correction
    rate = c["learning_rate"] * correction / (1.0 - c["beta_1"] ** step)
    return np.asarray(rate * s["m"] / (np.sqrt(largest) + epsilon))


def _adamax(c: Values, g: np.ndarray, s: Slots, step: int) -> np.ndarray:
    s["m"] = s.get("m", 0.0) + (g - s.get("m", 0.0)) * (1.0 - c["beta_1"])
    inside = c["epsilon"] if c["epsilon_placement"] == "inside the maximum" else 0.0
    s["u"] = np.maximum(c["beta_2"] * s.get("u", 0.0), np.abs(g) + inside)
    bottom = s["u"] + (c["epsilon"] - inside)
    return np.asarray(c["learning_rate"] * s["m"] / ((1.0 - c["beta_1"] ** step) * bottom))


def _nadam(c: Values, g: np.ndarray, s: Slots, step: int) -> np.ndarray:
    s["m"] = s.get("m", 0.0) + (g - s.get("m", 0.0)) * (1.0 - c["beta_1"])
    s["v"] = s.get("v", 0.0) + (g**2 - s.get("v", 0.0)) * (1.0 - c["beta_2"])

    def share(t: int, base: str = "base") -> float:
        return float(c["beta_1"] * (1.0 - 0.5 * c[base] ** (t * c["momentum_decay"])))

    product = math.prod(share(t, "all") for t in range(1, step + 1))
    following = share(step + 1)
    m = following * s["m"] / (1.0 - product * following)
    m = m + (1.0 - share(step)) * g / (1.0 - product)
    root = np.sqrt(s["v"] / (1.0 - c["beta_2"] ** step)) + c["epsilon"]
    return np.asarray(c["learning_rate"] * m / root)


def _lion(c: Values, g: np.ndarray, s: Slots, step: int) -> np.ndarray:
    m = s.get("m", np.zeros_like(g))
    s["m"] = m * c["beta_2"] + g * (1.0 - c["beta_2"])
    return np.asarray(c["learning_rate"] * np.sign(m * c["beta_1"] + g * (1.0 - c["beta_1"])))


def _rooted(c: Values, square: np.ndarray) -> np.ndarray:
    if c["epsilon_placement"] == "inside the root":
        return np.asarray(np.sqrt(square + c["epsilon"]))
    return np.asarray(np.sqrt(square) + c["epsilon"])


def _rmsprop(c: Values, g: np.ndarray, s: Slots, step: int) -> np.ndarray:
    s["v"] = c["rho"] * s.get("v", 0.0) + (1.0 - c["rho"]) * g**2
    variance = s["v"]
    if c["centered"]:
        s["mean"] = c["rho"] * s.get("mean", 0.0) + (1.0 - c["rho"]) * g
        variance = variance - s["mean"] ** 2
    moved = g / _rooted(c, variance)
    if c["momentum"]:
        inside, outside = _around(c)
        moved = s["b"] = c["momentum"] * s.get("b", 0.0) + inside * moved
        return np.asarray(outside * moved)
    return np.asarray(c["learning_rate"] * moved)


def _adagrad(c: Values, g: np.ndarray, s: Slots, step: int) -> np.ndarray:
    s["a"] = s.get("a", c["initial_accumulator_value"]) + g**2
    return np.asarray(c["learning_rate"] * g / _rooted(c, s["a"]))


def _adadelta(c: Values, g: np.ndarray, s: Slots, step: int) -> np.ndarray:
    rho, epsilon, moves = c["rho"], c["epsilon"], s.get("moves", 0.0)
    s["squares"] = rho * s.get("squares", 0.0) + (1.0 - rho) * g**2
    delta = np.sqrt(moves + epsilon) * g / np.sqrt(s["squares"] + epsilon)
    s["moves"] = rho * moves + (1.0 - rho) * delta**2
    return np.asarray(c["learning_rate"] * delta)


FORMULAS: dict[str, Callable[[Values, np.ndarray, Slots, int], np.ndarray]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamax": _adamax,
    "rmsprop": _rmsprop,
    "adagrad": _adagrad,
    "adadelta": _adadelta,
    "nadam": _nadam,
    "lion": _lion,
}
"""Formula to what is taken off a weight; moves the slots."""
