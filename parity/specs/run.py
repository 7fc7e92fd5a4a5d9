"""The whole spec: a model, its optimizer, its data, and the seed that everything is drawn from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from parity import loss_table
from parity.callbacks import CallbacksSpec
from parity.errors import ParityError
from parity.optimizers.spec import OptimizerSpec
from parity.options import Checked, from_json, option, to_json
from parity.schedules import ScheduleSpec
from parity.specs.base import ModelSpec
from parity.specs.registry import MODELS


@dataclass(frozen=True, kw_only=True)
class DataSpec(Checked):
    """Which examples: the data set, the bytes it was read from, a sigmoid head's positive class."""

    name: str = option(help="data set", flag=False, kind=str)
    size: str = option(help="embedded or full", flag=False, kind=str, choices=("embedded", "full"))
    sha256: str = option(help="checksum of the data", flag=False, kind=str)
    positive_class: int = option(
        0, help="sigmoid head: the class that counts as one", kind=int, minimum=0
    )


@dataclass(frozen=True, kw_only=True)
class TrainingSpec(Checked):
    """How a model is trained: batches, epochs and the seed of all randomness."""

    batch_size: int = option(64, help="examples per step", kind=int, minimum=1)
    epochs: int = option(3, help="passes over the training data", kind=int, minimum=1)
    loss: str = option(
        loss_table.CROSSENTROPY,
        help="training loss, by Keras's name, of one-hot labels or of 0 and 1; evaluate and the "
        "ladder report the cross-entropy of the test set whatever it is",
        kind=str,
        choices=tuple(loss_table.LOSSES),
    )
    huber_delta: float = option(
        1.0, help="loss huber: the error from which on it is linear", kind=float, above=0
    )
    class_weights: tuple[float, ...] = option(
        (),
        help="weight of each class in the training loss, in the order of the classes",
        kind=float,
        many=True,
        minimum=0,
    )
    label_smoothing: float = option(
        0.0,
        help="share of each label in the training loss that all classes have alike",
        kind=float,
        minimum=0,
        below=1,
    )
    seed: int = option(
        0, help="seed of weights, batch order and masks", kind=int, minimum=0, below=2**63
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        loss_table.check_options(self)


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
        loss_table.check_model(self.model, self.training)
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
