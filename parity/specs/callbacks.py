"""What may happen at the end of an epoch: stopping early, a lower learning rate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parity.errors import ParityError
from parity.options import Checked, option

MONITORS = {"val_loss": "min", "val_accuracy": "max", "loss": "min"}
"""Metrics of an epoch that can be watched, and what is better of each."""

CALLBACKS: dict[str, Mapping[str, Any]] = {
    "early_stopping": {
        "min_delta": 0.0,
        "restore_best_weights": False,
        "start_from_epoch": 0,
    },
    "reduce_lr_on_plateau": {
        "plateau_factor": 0.1,
        "plateau_min_delta": 1e-4,
        "plateau_cooldown": 0,
        "min_learning_rate": 0.0,
    },
}
"""Each callback by the field that turns it on, with its own options and their defaults."""


@dataclass(frozen=True, kw_only=True)
class CallbacksSpec(Checked):
    """Keras's ``EarlyStopping`` and ``ReduceLROnPlateau``, with every value explicit.

    An option that is left out takes Keras's default; one whose callback is off is refused, and
    None. What is validated on is the test set.
    """

    monitor: str = option(
        "val_loss",
        help="what early stopping, plateau and save-best-only watch",
        kind=str,
        choices=tuple(MONITORS),
    )
    early_stopping: int = option(
        0,
        help="stop at the so-many-th epoch in a row that is not better; 0: never",
        kind=int,
        minimum=0,
    )
    min_delta: float | None = option(
        None, help="better is only what is so by more than this", kind=float, minimum=0
    )
    restore_best_weights: bool | None = option(
        None, help="go back to the best epoch's weights at the end", kind=bool
    )
    start_from_epoch: int | None = option(
        None, help="epochs that do not count at the beginning", kind=int, minimum=0
    )
    reduce_lr_on_plateau: int = option(
        0,
        help="lower the learning rate at the so-many-th epoch in a row that is not better; "
        "0: never",
        kind=int,
        minimum=0,
    )
    plateau_factor: float | None = option(
        None, help="factor that lowers it", kind=float, minimum=0, below=1
    )
    plateau_min_delta: float | None = option(
        None, help="better is only what is so by more than this", kind=float, minimum=0
    )
    plateau_cooldown: int | None = option(
        None, help="epochs that do not count after it was lowered", kind=int, minimum=0
    )
    min_learning_rate: float | None = option(
        None, help="lowest learning rate", kind=float, minimum=0
    )

    def __post_init__(self) -> None:
        for callback, options in CALLBACKS.items():
            for name, default in options.items():
                value = getattr(self, name)
                if getattr(self, callback) and value is None:
                    object.__setattr__(self, name, default)
                elif not getattr(self, callback) and value is not None:
                    raise ParityError(
                        f"{name}: received {value!r} without {callback}, accepted: with it"
                    )
        super().__post_init__()


def callback_of(option: str) -> str | None:
    """The callback whose option that is, or None."""
    return next((name for name, options in CALLBACKS.items() if option in options), None)


def defaults() -> dict[str, Any]:
    """Every option of a callback with its default."""
    return {name: value for options in CALLBACKS.values() for name, value in options.items()}


def foreign_to_a_ladder(spec: CallbacksSpec) -> list[str]:
    """Fields that are not as they are by default; a ladder has no epochs that they act on."""
    usual = CallbacksSpec()
    return [
        entry.name
        for entry in dataclasses.fields(spec)
        if getattr(spec, entry.name) != getattr(usual, entry.name)
    ]
