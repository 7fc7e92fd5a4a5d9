"""Why a weight moves otherwise: both frameworks' optimizers as one formula with settings.

Keras's form is in :mod:`parity.reference.optimizers.formulas`; PyTorch's is that of
``torch/optim/*.py``. A
setting is a cause if PyTorch's formula, with that setting as Keras has it, gives Keras's weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.numerics.arrays import distance
from parity.pairs.causes.optimizer_updates import FORMULAS, HOLDS_RATE, Values, clipped
from parity.reference.formula import Settings
from parity.reference.optimizers.formulas import NADAM_DECAY
from parity.reference.optimizers.table import OPTIMIZERS
from parity.verdict.result import UNKNOWN, Cause, Proof


@dataclass(frozen=True)
class Push:
    """What one step moves a weight by.

    Attributes:
        gradient: of the weight.
        norm: of all weights' gradients together.
        rates: Keras's and PyTorch's.
    """

    gradient: np.ndarray
    norm: float
    rates: tuple[float, float]


@dataclass(frozen=True)
class Moved:
    """One weight that both optimizers moved by the same gradients.

    Attributes:
        layer: its name in the Keras model.
        start: before the first step.
        pushes: one for each step.
        keras, torch: the weight after the last step, in either.
        rung: ``step`` or ``steps``.
        limit: how far they may stand apart.
    """

    layer: str
    start: np.ndarray
    pushes: Sequence[Push]
    keras: np.ndarray
    torch: np.ndarray
    rung: str
    limit: float


def causes_of(moved: Moved, keras: Settings | None, torch: Settings | None) -> list[Cause]:
    """The settings that make a weight move otherwise, all together; one unknown if none do."""
    before = distance(moved.keras, moved.torch)
    own, other = (
        _scheduled(unified(one), [push.rates[side] for push in moved.pushes])
        for side, one in enumerate((keras, torch))
    )
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


def _scheduled(settings: Settings | None, rates: list[float]) -> Settings | None:
    """With the rate that the steps had, or those of all where it did not stay as it was."""
    if settings is None:
        return None
    rate = rates[0] if len(set(rates)) == 1 else tuple(rates)
    return replace(settings, values={**settings.values, "learning_rate": rate})


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
        idle |= {"nesterov", "dampening", "momentum_buffer"}
    if not any(isinstance(one.values["learning_rate"], tuple) for one in (own, other)):
        idle.add("momentum_buffer")
    return [
        name
        for name, value in own.values.items()
        if name not in idle and value != other.values[name]
    ]


def id_of(settings: Settings, other: Settings, name: str) -> str:
    """The catalogue's id of a setting, or one of the same form."""
    if name == "weight_decay" and other.values["decay"] == "decoupled":
        return "adamw.weight_decay"
    if name == "momentum_buffer":
        return "sgd.momentum_buffer"
    if name == "initial_accumulator_value":
        return "adagrad.initial_accumulator"
    if name in ("learning_rate", "weight_decay"):
        return f"optimizer.{name}"
    if name == "decay":
        return "optimizer.weight_decay"
    if settings.kind == "nadam" and name in ("base", "all"):
        return "nadam.momentum_decay"
    if name in ("clipnorm", "clipvalue", "global_clipnorm"):
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
    if family is None or values.get("ema_overwrite_frequency"):
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
    "sgd": {"momentum_buffer": HOLDS_RATE},
    "adam": {"epsilon_placement": "before the correction"},
    "adamax": {"epsilon_placement": "outside the maximum"},
    "rmsprop": {"epsilon_placement": "inside the root", "momentum_buffer": HOLDS_RATE},
    "adagrad": {"epsilon_placement": "inside the root"},
}
"""Formula to where Keras adds ε, and multiplies by the rate."""

_RATE = {
    **{"learning_rate": 0.0, "weight_decay": 0.0},
    **{"clipnorm": 0.0, "clipvalue": 0.0, "global_clipnorm": 0.0},
}
_MOMENTUM = {"momentum": 0.0, "momentum_buffer": "is multiplied by it"}
_BETAS = {"beta_1": 0.0, "beta_2": 0.0, "epsilon": 0.0}
USUAL: dict[str, dict[str, Any]] = {
    "sgd": {**_RATE, **_MOMENTUM, "nesterov": False, "dampening": 0.0},
    "adam": {**_RATE, **_BETAS, "amsgrad": False},
    "adamax": {**_RATE, **_BETAS},
    "rmsprop": {**_RATE, **_MOMENTUM, "rho": 0.0, "epsilon": 0.0, "centered": False},
    "adagrad": {**_RATE, "epsilon": 0.0, "initial_accumulator_value": 0.0},
    "adadelta": {**_RATE, "rho": 0.0, "epsilon": 0.0},
    "nadam": {**_RATE, **_BETAS, "momentum_decay": 1.0, "base": NADAM_DECAY, "all": NADAM_DECAY},
    "lion": {**_RATE, "beta_1": 0.0, "beta_2": 0.0},
}
"""Formula to its settings, as they are where a framework has no such thing."""


def _away(settings: Settings, moved: Moved, wanted: np.ndarray) -> float:
    """How far the formula's weight stands from a framework's."""
    return distance(wanted, weight_after(settings, moved.start, moved.pushes))


def weight_after(settings: Settings, start: np.ndarray, pushes: Sequence[Push]) -> np.ndarray:
    """The formula's weight after as many steps as there are pushes."""
    weight, slots = start, dict[str, np.ndarray]()
    rate = settings.values["learning_rate"]
    rates = rate if isinstance(rate, tuple) else (rate,) * len(pushes)
    for step, (push, rate) in enumerate(zip(pushes, rates, strict=True), 1):
        values = {**settings.values, "learning_rate": rate}
        gradient = clipped(values, push.gradient, push.norm)
        decay = values["weight_decay"]
        if decay and values["decay"] == "decoupled":
            weight = weight - weight * decay * values["learning_rate"]
        elif decay:
            gradient = gradient + decay * weight
        weight = weight - FORMULAS[settings.kind](values, gradient, slots, step)
    return weight
