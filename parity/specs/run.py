"""The whole spec: a model, its optimizer, its data, and the seed that everything is drawn from."""

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
    """Everything about one run; two runs with equal specs must be the same run."""

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
                "accepted: 1, or with keras3 (Keras 2 has none)"
            )
        if self.callbacks.reduce_lr_on_plateau and self.schedule.name != "constant":
            raise ParityError(
                f"reduce_lr_on_plateau: received {self.callbacks.reduce_lr_on_plateau} with "
                f"lr_schedule {self.schedule.name!r}, accepted: with a constant one (a schedule "
                "computes each rate anew)"
            )

    @property
    def ends_elsewhere(self) -> bool:
        """Whether training ends with other weights than the last step's: averages, or the best."""
        return bool(self.optimizer.ema_momentum or self.callbacks.restore_best_weights)

    def to_json(self) -> dict[str, Any]:
        """The spec as plain JSON data."""
        return to_json(self)


def spec_from_json(data: Any, where: str) -> Spec:
    """Rebuild a :class:`Spec` from JSON data; ``where`` names the place in error lines.

    Raises:
        ParityError: an unknown model family, or a field unknown, missing or out of range.
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
    """Every field where two specs part, as (dotted name, value in ``a``, value in ``b``)."""

    def walk(x: Any, y: Any, prefix: str) -> list[tuple[str, Any, Any]]:
        if isinstance(x, dict) and isinstance(y, dict):
            found = []
            for key in sorted(x.keys() | y.keys()):
                found += walk(x.get(key), y.get(key), f"{prefix}.{key}" if prefix else key)
            return found
        return [] if x == y else [(prefix, x, y)]

    return walk(a.to_json(), b.to_json(), "")
