"""Why a weight moves otherwise: both frameworks' optimizers as one formula with settings.

Keras's form is in :mod:`parity.optimizers.formulas`; PyTorch's is that of ``torch/optim/*.py``. A
setting is a cause if PyTorch's formula, with that setting as Keras has it, gives Keras's weights.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.optimizers.formulas import NADAM_DECAY
from parity.optimizers.table import OPTIMIZERS
from parity.pairs.diagnosis import UNKNOWN, Cause, Proof
from parity.pairs.divergence import distance
from parity.pairs.trainer import Settings

Values = Mapping[str, Any]
Slots = dict[str, np.ndarray]


@dataclass(frozen=True)
class Moved:
    """One weight that both optimizers moved by the same gradients.

    Attributes:
        layer: its name in the Keras model.
        start: before the first step.
        gradients: one for each step.
        keras, torch: the weight after the last step, in either.
        rung: ``step`` or ``steps``.
        limit: how far they may stand apart.
    """

    layer: str
    start: np.ndarray
    gradients: Sequence[np.ndarray]
    keras: np.ndarray
    torch: np.ndarray
    rung: str
    limit: float


def causes_of(moved: Moved, keras: Settings | None, torch: Settings | None) -> list[Cause]:
    """The settings that make a weight move otherwise, all together; one unknown if none do."""
    before = distance(moved.keras, moved.torch)
    own, other = unified(keras), unified(torch)
    kinds = [one.kind if one else "not known" for one in (keras, torch)]
    proof = Proof(before, before)
    unknown = [Cause(UNKNOWN, moved.layer, kinds[0], kinds[1], proof, moved.rung)]
    if own is None or other is None:
        return unknown
    if _away(own, moved, moved.keras) > moved.limit or _away(other, moved, moved.torch) > (
        moved.limit
    ):
        return unknown
    if own.kind != other.kind:
        proof = Proof(before, _away(own, moved, moved.keras))
        return [Cause("optimizer.kind", moved.layer, own.kind, other.kind, proof, moved.rung)]
    parted = parting(own, other)
    for count in range(1, len(parted) + 1):
        for chosen in itertools.combinations(parted, count):
            values = {**other.values, **{name: own.values[name] for name in chosen}}
            after = _away(replace(other, values=values), moved, moved.keras)
            if after <= moved.limit:
                proof = Proof(before, after)
                return [cause_of(own, other, one, moved.layer, proof, moved.rung) for one in chosen]
    return unknown


def cause_of(
    own: Settings, other: Settings, name: str, layer: str, proof: Proof | None, rung: str
) -> Cause:
    """A setting as a cause, proven or latent."""
    return Cause(id_of(own, other, name), layer, own.values[name], other.values[name], proof, rung)


def parting(own: Settings, other: Settings) -> list[str]:
    """Settings of one formula in which two sides part and that can have an effect."""
    idle = set()
    if not own.values.get("weight_decay") and not other.values.get("weight_decay"):
        idle.add("decay")
    if not own.values.get("momentum") and not other.values.get("momentum"):
        idle |= {"nesterov", "dampening"}
    return [
        name
        for name, value in own.values.items()
        if name not in idle and value != other.values[name]
    ]


def id_of(settings: Settings, other: Settings, name: str) -> str:
    """The catalogue's id of a setting, or one of the same form."""
    if name == "weight_decay" and other.values["decay"] == "decoupled":
        return "adamw.weight_decay"
    if name == "initial_accumulator_value":
        return "adagrad.initial_accumulator"
    if name in ("learning_rate", "weight_decay"):
        return f"optimizer.{name}"
    if name == "decay":
        return "optimizer.weight_decay"
    if name == "epsilon" and settings.kind in ("rmsprop", "adamax", "nadam"):
        return "adam.epsilon"
    if settings.kind == "nadam" and name in ("base", "all"):
        return "nadam.momentum_decay"
    if name in ("clipnorm", "clipvalue"):
        return f"optimizer.{name}"
    if settings.kind == "adadelta" and name in ("rho", "epsilon"):
        return "adadelta.constants"
    return f"{settings.kind}.{name}"


def unified(settings: Settings | None) -> Settings | None:
    """Both frameworks' settings in the terms of one formula; None for what it has no room for."""
    if settings is None:
        return None
    framework, _, kind = settings.kind.partition(".")
    found = (_of_keras if framework == "keras" else _of_torch)(kind, settings.values)
    if found is None:
        return None
    family, values = found
    if framework == "port":  # Keras's formula under PyTorch's names
        values |= {"decay": "decoupled", **PLACES.get(family, {})}
    return Settings(family, values)


def _of_keras(kind: str, values: Values) -> tuple[str, dict[str, Any]] | None:
    row = OPTIMIZERS[kind]
    family = FAMILIES.get(row.kind)
    if family is None or values.get("global_clipnorm") or values.get("ema_overwrite_frequency"):
        return None
    found = {name: values.get(name, value) for name, value in USUAL[family].items()}
    found["decay"] = "decoupled"
    if family == "sgd":
        found["nesterov"] = kind == "nesterov"
    elif family == "adam":
        found["amsgrad"] = kind == "amsgrad"
    elif family == "nadam" and values["flavour"] == "keras3":
        found["all"] = 0.96  # not rounded in the product
    return family, found | PLACES.get(family, {})


def _of_torch(kind: str, values: Values) -> tuple[str, dict[str, Any]] | None:
    family = FAMILIES.get(kind)
    if family is None or values.get("maximize") or values.get("lr_decay"):
        return None
    names = {"learning_rate": "lr", "epsilon": "eps"}
    found = {
        name: values.get(names.get(name, name), value) for name, value in USUAL[family].items()
    }
    found["decay"] = "decoupled" if kind == "AdamW" else "in the gradient"
    if values.get("decoupled_weight_decay"):
        found["decay"] = "decoupled"
    if "betas" in values:
        found["beta_1"], found["beta_2"] = values["betas"]
    if family == "adam":
        found["epsilon_placement"] = "after the correction"
    elif family == "nadam" and kind == "NAdam":
        found["base"] = found["all"] = 0.96
    elif family == "adamax":
        found["epsilon_placement"] = "inside the maximum"
    elif family == "rmsprop":
        found["epsilon_placement"] = "outside the root"
        found["rho"] = values.get("alpha", values.get("rho"))
    elif family == "adagrad":
        found["epsilon_placement"] = "outside the root"
    return family, found


FAMILIES = {
    "SGD": "sgd",
    "Adam": "adam",
    "AdamW": "adam",
    "Adamax": "adamax",
    "RMSprop": "rmsprop",
    "Adagrad": "adagrad",
    "Adadelta": "adadelta",
    "Nadam": "nadam",
    "NAdam": "nadam",
    "Lion": "lion",
}
"""Class, of one name in both frameworks, to formula."""

PLACES = {
    "adam": {"epsilon_placement": "before the correction"},
    "adamax": {"epsilon_placement": "outside the maximum"},
    "rmsprop": {"epsilon_placement": "inside the root"},
    "adagrad": {"epsilon_placement": "inside the root"},
}
"""Formula to where Keras adds ε."""

_RATE = {"learning_rate": 0.0, "weight_decay": 0.0, "clipnorm": 0.0, "clipvalue": 0.0}
_BETAS = {"beta_1": 0.0, "beta_2": 0.0, "epsilon": 0.0}
USUAL: dict[str, dict[str, Any]] = {
    "sgd": {**_RATE, "momentum": 0.0, "nesterov": False, "dampening": 0.0},
    "adam": {**_RATE, **_BETAS, "amsgrad": False},
    "adamax": {**_RATE, **_BETAS},
    "rmsprop": {**_RATE, "rho": 0.0, "epsilon": 0.0, "momentum": 0.0, "centered": False},
    "adagrad": {**_RATE, "epsilon": 0.0, "initial_accumulator_value": 0.0},
    "adadelta": {**_RATE, "rho": 0.0, "epsilon": 0.0},
    "nadam": {**_RATE, **_BETAS, "momentum_decay": 1.0, "base": NADAM_DECAY, "all": NADAM_DECAY},
    "lion": {**_RATE, "beta_1": 0.0, "beta_2": 0.0},
}
"""Formula to its settings, as they are where a framework has no such thing."""


def _away(settings: Settings, moved: Moved, wanted: np.ndarray) -> float:
    """How far the formula's weight stands from a framework's."""
    weight, slots = moved.start, dict[str, np.ndarray]()
    values = settings.values
    for step, gradient in enumerate(moved.gradients, 1):
        gradient = _clipped(values, gradient)
        decay = values["weight_decay"]
        if decay and values["decay"] == "decoupled":
            weight = weight - weight * decay * values["learning_rate"]
        elif decay:
            gradient = gradient + decay * weight
        weight = weight - FORMULAS[settings.kind](values, gradient, slots, step)
    return distance(wanted, weight)


def _clipped(c: Values, g: np.ndarray) -> np.ndarray:
    if c["clipnorm"]:
        return np.asarray(g * c["clipnorm"] / max(float(np.sqrt((g**2).sum())), c["clipnorm"]))
    return g.clip(-c["clipvalue"], c["clipvalue"]) if c["clipvalue"] else g


def _sgd(c: Values, g: np.ndarray, s: Slots, step: int) -> np.ndarray:
    if not c["momentum"]:
        return np.asarray(c["learning_rate"] * g)
    new = g if step == 1 else (1.0 - c["dampening"]) * g
    s["b"] = c["momentum"] * s.get("b", 0.0) + new
    moved = g + c["momentum"] * s["b"] if c["nesterov"] else s["b"]
    return np.asarray(c["learning_rate"] * moved)


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
    inside = s["v"]
    if c["centered"]:
        s["mean"] = c["rho"] * s.get("mean", 0.0) + (1.0 - c["rho"]) * g
        inside = inside - s["mean"] ** 2
    moved = g / _rooted(c, inside)
    if c["momentum"]:
        moved = s["b"] = c["momentum"] * s.get("b", 0.0) + moved
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
