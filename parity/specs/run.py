"""Spec: everything that determines a run, and its conversion from and to JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from parity.errors import ParityError
from parity.options import from_json, to_json
from parity.reference.optimizers.spec import OptimizerSpec
from parity.reference.schedules.spec import ScheduleSpec
from parity.specs import objective
from parity.specs.base import ModelSpec
from parity.specs.callbacks import CallbacksSpec
from parity.specs.registry import MODELS
from parity.specs.training import DataSpec, TrainingSpec


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Model, optimizer, training, data, schedule and callbacks of one run.

    Two runs with equal specs are the same run.

    Raises:
        ParityError: a combination of options that one Keras version or one class does not support.
    """

    family: str
    model: ModelSpec
    optimizer: OptimizerSpec
    training: TrainingSpec
    data: DataSpec
    schedule: ScheduleSpec = field(default_factory=ScheduleSpec)
    callbacks: CallbacksSpec = field(default_factory=CallbacksSpec)

    def __post_init__(self) -> None:
        weights, classes = self.training.class_weights, self.model.classes
        if weights and len(weights) != classes:
            raise ParityError(
                f"class_weights: received {len(weights)} values, "
                f"accepted: none, or one for each of the {classes} classes"
            )
        objective.check_model(self.model, self.training)
        steps = self.optimizer.gradient_accumulation_steps
        if steps > 1 and self.model.flavour == "tf_keras":
            raise ParityError(
                f"gradient_accumulation_steps: received {steps} with flavour 'tf_keras', "
                "accepted: 1, or any with keras3 (Keras 2 has no gradient accumulation)"
            )
        if self.callbacks.reduce_lr_on_plateau and self.schedule.name != "constant":
            raise ParityError(
                f"reduce_lr_on_plateau: received {self.callbacks.reduce_lr_on_plateau} with "
                f"lr_schedule {self.schedule.name!r}, accepted: constant (a schedule "
                "overwrites the reduced rate)"
            )

    @property
    def replaces_final_weights(self) -> bool:
        """Whether averages or the best epoch's weights replace those of the last step."""
        return bool(self.optimizer.ema_momentum or self.callbacks.restore_best_weights)

    def to_json(self) -> dict[str, Any]:
        """Return the spec as JSON data."""
        return to_json(self)


def spec_from_json(data: Any, where: str) -> Spec:
    """Create a :class:`Spec` from JSON data; ``where`` is its location for error messages.

    Raises:
        ParityError: the model family is unknown, or a field is unknown, missing or out of range.
    """
    if not isinstance(data, dict) or set(data) != {
        entry.name for entry in dataclasses.fields(Spec)
    }:
        raise ParityError(
            f"{where}: not a spec ({', '.join(entry.name for entry in dataclasses.fields(Spec))})"
        )
    if not isinstance(data["family"], str) or data["family"] not in MODELS:
        raise ParityError(
            f"{where}.family: received {data['family']!r}, accepted: {', '.join(MODELS)}"
        )
    parts = {
        "model": MODELS[data["family"]],
        "optimizer": OptimizerSpec,
        "training": TrainingSpec,
        "data": DataSpec,
        "schedule": ScheduleSpec,
        "callbacks": CallbacksSpec,
    }
    built = {name: from_json(cls, data[name], f"{where}.{name}") for name, cls in parts.items()}
    return Spec(family=data["family"], **built)


def differences(a: Spec, b: Spec) -> list[tuple[str, Any, Any]]:
    """Return the fields that differ, as (dotted name, value in ``a``, value in ``b``)."""

    def walk(x: Any, y: Any, prefix: str) -> list[tuple[str, Any, Any]]:
        if isinstance(x, dict) and isinstance(y, dict):
            found = []
            for key in sorted(x.keys() | y.keys()):
                found += walk(x.get(key), y.get(key), f"{prefix}.{key}" if prefix else key)
            return found
        return [] if x == y else [(prefix, x, y)]

    return walk(a.to_json(), b.to_json(), "")
