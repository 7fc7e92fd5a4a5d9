"""Optimizers by name, every value explicit, and their slots by canonical name."""

from __future__ import annotations

from typing import Any

from keras_impl.framework import keras
from parity.optimizers import SLOTS, OptimizerSpec

_ATTRIBUTES = {"velocity": "momentums", "m": "_momentums", "v": "_velocities"}


def optimizer_for(spec: OptimizerSpec) -> Any:
    """Keras's own optimizer with the spec's values."""
    values = spec.constants()
    common = {  # where Keras says None, a spec says 0
        name: values[name] or None for name in ("weight_decay", "clipnorm", "global_clipnorm")
    }
    if spec.name == "adam":
        return keras.optimizers.Adam(
            learning_rate=values["learning_rate"],
            beta_1=values["beta_1"],
            beta_2=values["beta_2"],
            epsilon=values["epsilon"],
            amsgrad=False,
            **common,
        )
    return keras.optimizers.SGD(
        learning_rate=values["learning_rate"],
        momentum=0.0 if spec.name == "sgd" else values["momentum"],
        nesterov=spec.name == "nesterov",
        **common,
    )


def slots(optimizer: Any, spec: OptimizerSpec) -> dict[str, list[Any]]:
    """Slot variables by canonical slot name, each list in the order of the trained variables."""
    return {slot: list(getattr(optimizer, _ATTRIBUTES[slot])) for slot in SLOTS[spec.name]}
