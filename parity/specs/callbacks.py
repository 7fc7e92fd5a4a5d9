"""CallbacksSpec: early stopping and learning-rate reduction, decided at the end of an epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parity.errors import ParityError
from parity.options import Checked, option

MONITORS = {"val_loss": "min", "val_accuracy": "max", "loss": "min"}
"""Metrics that callbacks can monitor, and whether lower (min) or higher (max) is better."""

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
"""Each callback, named by the field that enables it, with the defaults of its options."""


@dataclass(frozen=True, kw_only=True)
class CallbacksSpec(Checked):
    """Keras's ``EarlyStopping`` and ``ReduceLROnPlateau``, with every value explicit.

    An option of an enabled callback defaults to Keras's value. An option of a disabled callback is
    None. The validation metrics are computed on the test set.

    Raises:
        ParityError: a value is out of range, or an option is given without its callback.
    """

    monitor: str = option(
        "val_loss",
        help="metric that early stopping, reduce-lr-on-plateau and save-best-only monitor",
        kind=str,
        choices=tuple(MONITORS),
    )
    early_stopping: int = option(
        0,
        help="stop after this many epochs in a row without improvement; 0: never",
        kind=int,
        minimum=0,
    )
    min_delta: float | None = option(
        None, help="smallest change that counts as an improvement", kind=float, minimum=0
    )
    restore_best_weights: bool | None = option(
        None, help="end with the weights of the best epoch", kind=bool
    )
    start_from_epoch: int | None = option(
        None, help="epochs to ignore at the beginning", kind=int, minimum=0
    )
    reduce_lr_on_plateau: int = option(
        0,
        help="lower the learning rate after this many epochs in a row without improvement; "
        "0: never",
        kind=int,
        minimum=0,
    )
    plateau_factor: float | None = option(
        None, help="factor that the learning rate is multiplied by", kind=float, minimum=0, below=1
    )
    plateau_min_delta: float | None = option(
        None, help="smallest change that counts as an improvement", kind=float, minimum=0
    )
    plateau_cooldown: int | None = option(
        None, help="epochs to ignore after a reduction", kind=int, minimum=0
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
    """Return the callback that an option belongs to, or None."""
    return next((name for name, options in CALLBACKS.items() if option in options), None)


def defaults() -> dict[str, Any]:
    """Return the default of every callback's options, by option name."""
    return {name: value for options in CALLBACKS.values() for name, value in options.items()}


def changed_fields(spec: CallbacksSpec) -> list[str]:
    """Return the names of the fields that differ from their defaults."""
    default = CallbacksSpec()
    return [
        entry.name
        for entry in dataclasses.fields(spec)
        if getattr(spec, entry.name) != getattr(default, entry.name)
    ]
