"""Every optimizer by name: the options of its formula, their defaults, and its slots.

The defaults are Keras's, except the learning rates: those of the frameworks differ by optimizer and
from each other. The formulas are in :mod:`.formulas`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Value = float | bool


@dataclass(frozen=True)
class Row:
    """One optimizer.

    Attributes:
        kind: name of the class, the same in both frameworks.
        learning_rate: the default.
        options: option of the formula to its default.
        slots: canonical name of each state tensor, which has the shape of its weight, to the
            option that must be set for it; empty if it always exists.
        weight_decay: the default; 0 except for AdamW, which is Adam with another default.
        settings: further arguments of the class.
    """

    kind: str
    learning_rate: float
    options: Mapping[str, Value]
    slots: Mapping[str, str]
    weight_decay: float = 0.0
    settings: Mapping[str, bool] = field(default_factory=dict)


_MOMENTS = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
_M_AND_V = {"m": "", "v": ""}

OPTIMIZERS: dict[str, Row] = {
    "sgd": Row("SGD", 0.05, {}, {}),
    "momentum": Row("SGD", 0.02, {"momentum": 0.9}, {"velocity": ""}),
    "nesterov": Row("SGD", 0.02, {"momentum": 0.9}, {"velocity": ""}, settings={"nesterov": True}),
    "adam": Row("Adam", 1e-3, _MOMENTS, _M_AND_V),
    "amsgrad": Row("Adam", 1e-3, _MOMENTS, {**_M_AND_V, "v_hat": ""}, settings={"amsgrad": True}),
    "adamw": Row("AdamW", 1e-3, _MOMENTS, _M_AND_V, weight_decay=0.004),
    "adamax": Row("Adamax", 2e-3, _MOMENTS, {"m": "", "u": ""}),
    "nadam": Row("Nadam", 1e-3, _MOMENTS, _M_AND_V),
    "adagrad": Row(
        "Adagrad", 0.02, {"initial_accumulator_value": 0.1, "epsilon": 1e-7}, {"accumulator": ""}
    ),
    "adadelta": Row(
        "Adadelta",
        1.0,
        {"rho": 0.95, "epsilon": 1e-7},
        {"accumulated_grad": "", "accumulated_delta_var": ""},
    ),
    "rmsprop": Row(
        "RMSprop",
        1e-3,
        {"rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False},
        {"velocity": "", "momentum": "momentum", "average_gradient": "centered"},
    ),
    "ftrl": Row(
        "Ftrl",
        0.05,
        {
            "initial_accumulator_value": 0.1,
            "learning_rate_power": -0.5,
            "l1_regularization_strength": 0.0,
            "l2_regularization_strength": 0.0,
            "l2_shrinkage_regularization_strength": 0.0,
            "beta": 0.0,
        },
        {"accumulator": "", "linear": ""},
    ),
    "lion": Row("Lion", 1e-4, {"beta_1": 0.9, "beta_2": 0.99}, {"m": ""}),
}

TORCH_NAMES = {
    "learning_rate": "lr",
    "epsilon": "eps",
    "learning_rate_power": "lr_power",
    "l1_regularization_strength": "l1",
    "l2_regularization_strength": "l2",
    "l2_shrinkage_regularization_strength": "l2_shrinkage",
}
"""Option to its name in PyTorch's classes and in ``torch_impl.optim``, if it differs."""


def taking(option: str) -> list[str]:
    """Return the names of the optimizers whose formula has an option."""
    return [name for name, row in OPTIMIZERS.items() if option in row.options]


def defaults(option: str) -> dict[Value, list[str]]:
    """Return each default of an option, with the optimizers that have it."""
    found: dict[Value, list[str]] = {}
    for name, row in OPTIMIZERS.items():
        own = {"learning_rate": row.learning_rate, "weight_decay": row.weight_decay, **row.options}
        if option in own:
            found.setdefault(own[option], []).append(name)
    return found
