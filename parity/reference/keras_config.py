"""Convert Keras's losses, optimizers and schedules to specs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.constants import as_float32
from parity.errors import ParityError
from parity.reference.formula import Settings
from parity.reference.optimizers.spec import OptimizerSpec
from parity.reference.optimizers.table import OPTIMIZERS
from parity.reference.schedules.spec import SCHEDULES

LOSSES = {
    "mse": "MeanSquaredError",
    "mae": "MeanAbsoluteError",
    "kld": "KLDivergence",
    "mape": "MeanAbsolutePercentageError",
    "msle": "MeanSquaredLogarithmicError",
    "logcosh": "LogCosh",
    **{
        name: name.title().replace("_", "").replace("Kl", "KL")
        for name in (
            *("sparse_categorical_crossentropy", "categorical_crossentropy"),
            *("binary_crossentropy", "mean_squared_error", "mean_absolute_error", "huber"),
            *("log_cosh", "kl_divergence", "hinge", "squared_hinge", "categorical_hinge"),
            *("poisson", "cosine_similarity", "mean_absolute_percentage_error"),
            *("mean_squared_logarithmic_error", "binary_focal_crossentropy"),
            *("categorical_focal_crossentropy", "dice", "tversky"),
        )
    },
}
"""Keras's name of a loss to the name of its class, which both frameworks have."""

KINDS = {row.kind for row in SCHEDULES.values() if row.kind}
"""Class names of Keras's schedules."""


def loss_class(name: str) -> str:
    """The class name of a Keras loss, from Keras's name or the class name.

    Raises:
        ParityError: unknown name.
    """
    found = name if name in LOSSES.values() else LOSSES.get(name)
    if found is None:
        raise ParityError(f"loss: received {name!r}, accepted: {', '.join(sorted(LOSSES))}")
    return found


def rounded(value: Any) -> Any:
    """The value with every float in it rounded to float32, as in Keras."""
    if isinstance(value, (float, np.floating)):
        return as_float32(float(value))
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(rounded(one) for one in value)
    return value


def schedule_of(config: Mapping[str, Any]) -> Settings | None:
    """The Keras schedule in an optimizer's ``get_config()``; None if there is none."""
    found = config.get("learning_rate")
    if not isinstance(found, Mapping) or found.get("class_name") not in KINDS:
        return None
    own = ("name", "dtype")
    values = {name: value for name, value in found["config"].items() if name not in own}
    return Settings(found["class_name"], values)


def spec_of(kind: str, config: Mapping[str, Any]) -> OptimizerSpec | None:
    """The spec of a Keras optimizer; None for kinds and rates that a spec cannot express.

    Args:
        kind: name of its class.
        config: its ``get_config()``; for a schedule, the spec has one of its rates.
    """
    name, rate = _name_of(kind, config), config.get("learning_rate")
    schedule = schedule_of(config)
    if schedule:
        firsts = (schedule.values.get(name) for name in ("initial_learning_rate", "warmup_target"))
        rate = max(one for one in (*firsts, *schedule.values.get("values", ())) if one is not None)
    if name is None or not isinstance(rate, (float, int, np.floating)):
        return None
    row = OPTIMIZERS[name]
    given: dict[str, Any] = {option: config[option] for option in row.options if option in config}
    given["weight_decay"] = float(config.get("weight_decay") or 0.0)
    for option in ("clipnorm", "global_clipnorm", "clipvalue"):
        given[option] = float(config.get(option) or 0.0)
    if config.get("use_ema"):
        given["ema_momentum"] = config["ema_momentum"]
        given["ema_overwrite_frequency"] = config.get("ema_overwrite_frequency") or 0
    given["gradient_accumulation_steps"] = config.get("gradient_accumulation_steps") or 1
    return OptimizerSpec(name=name, learning_rate=float(rate), **given)


def _name_of(kind: str, config: Mapping[str, Any]) -> str | None:
    if kind == "SGD":
        plain = "momentum" if config.get("momentum") else "sgd"
        return "nesterov" if config.get("nesterov") and config.get("momentum") else plain
    if kind == "Adam":
        return "amsgrad" if config.get("amsgrad") else "adam"
    if kind == "AdamW" and config.get("amsgrad"):
        return None
    rows = [name for name, row in OPTIMIZERS.items() if row.kind == kind and not row.settings]
    return rows[0] if rows else None
