"""An optimizer with every value explicit."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from parity.constants import as_float32
from parity.errors import ParityError
from parity.options import Checked, option
from parity.reference.optimizers.table import OPTIMIZERS, taking

AVERAGE = "average"
"""The slot that holds a weight's exponential moving average."""


@dataclass(frozen=True, kw_only=True)
class OptimizerSpec(Checked):
    """An optimizer with its options, gradient clipping, weight decay, averaging and accumulation.

    An option of the formula, or the learning rate, that is None gets the table's default. An option
    that the formula does not have stays None; another value for it raises a ParityError.
    """

    name: str = option("adam", help="optimizer", kind=str, choices=tuple(OPTIMIZERS))
    learning_rate: float | None = option(None, help="step size", kind=float, above=0)
    momentum: float | None = option(
        None, help="share of the velocity kept", kind=float, minimum=0, below=1
    )
    beta_1: float | None = option(
        None, help="share of the first moment kept", kind=float, minimum=0, below=1
    )
    beta_2: float | None = option(
        None, help="share of the second moment kept", kind=float, minimum=0, below=1
    )
    rho: float | None = option(
        None, help="share of the mean squares kept", kind=float, minimum=0, below=1
    )
    epsilon: float | None = option(
        None, help="added to the root, or within it", kind=float, above=0
    )
    centered: bool | None = option(
        None, help="divide by the gradients' variance, not their mean square", kind=bool
    )
    initial_accumulator_value: float | None = option(
        None, help="sum of squares to begin with", kind=float, minimum=0
    )
    learning_rate_power: float | None = option(
        None, help="power of the sum of squares, at most 0", kind=float, maximum=0
    )
    l1_regularization_strength: float | None = option(
        None, help="L1 within the formula", kind=float, minimum=0
    )
    l2_regularization_strength: float | None = option(
        None, help="L2 within the formula", kind=float, minimum=0
    )
    l2_shrinkage_regularization_strength: float | None = option(
        None, help="L2 added to the gradient alone", kind=float, minimum=0
    )
    beta: float | None = option(
        None, help="added to the root, times the rate", kind=float, minimum=0
    )
    weight_decay: float | None = option(
        None, help="share of every weight taken off per step, times the rate", kind=float, minimum=0
    )
    clipnorm: float = option(
        0.0, help="largest norm of each tensor's gradient; 0: any", kind=float, minimum=0
    )
    global_clipnorm: float = option(
        0.0, help="largest norm of all gradients together; 0: any", kind=float, minimum=0
    )
    clipvalue: float = option(
        0.0, help="largest absolute entry of a gradient; 0: any", kind=float, minimum=0
    )
    ema_momentum: float = option(
        0.0,
        help="share kept of a moving average of the weights, which takes their place when training "
        "ends; 0: none is taken",
        kind=float,
        minimum=0,
        below=1,
    )
    ema_overwrite_frequency: int = option(
        0,
        help="steps after which the average takes the weights' place; 0: none",
        minimum=0,
        kind=int,
    )
    gradient_accumulation_steps: int = option(
        1, help="batches whose gradients' mean makes one step (Keras 3)", kind=int, minimum=1
    )

    def __post_init__(self) -> None:
        row = OPTIMIZERS.get(self.name)
        if row:
            for name, default in (
                ("learning_rate", row.learning_rate),
                ("weight_decay", row.weight_decay),
                *row.options.items(),
            ):
                if getattr(self, name) is None:
                    object.__setattr__(self, name, default)
        super().__post_init__()
        self._refuse_foreign_options()
        self._refuse_contradictions()

    def _refuse_foreign_options(self) -> None:
        own = OPTIMIZERS[self.name].options
        for entry in dataclasses.fields(self):
            value = getattr(self, entry.name)
            if value is not None and entry.name not in own and (takers := taking(entry.name)):
                raise ParityError(
                    f"{entry.name}: received {value!r} with optimizer {self.name!r}, "
                    f"accepted: with {', '.join(takers)}"
                )

    def _refuse_contradictions(self) -> None:
        clips = [
            f"{name} {value:g}"
            for name in ("clipnorm", "global_clipnorm", "clipvalue")
            if (value := getattr(self, name))
        ]
        if len(clips) > 1:
            raise ParityError(f"clipping: received {', '.join(clips)}, accepted: one of the three")
        if self.name in ("momentum", "nesterov") and not self.momentum:
            raise ParityError(
                f"momentum: received {self.momentum:g} with optimizer {self.name!r}, "
                "accepted: above 0 (without it, that is sgd)"
            )
        if self.ema_overwrite_frequency and not self.ema_momentum:
            raise ParityError(
                f"ema_overwrite_frequency: received {self.ema_overwrite_frequency} without "
                "ema_momentum, accepted: 0, or with it"
            )

    @property
    def slots(self) -> tuple[str, ...]:
        """Canonical names of the slots; each has the shape of its weight tensor."""
        of_row = OPTIMIZERS[self.name].slots.items()
        found = tuple(slot for slot, wanted in of_row if not wanted or getattr(self, wanted))
        return (*found, AVERAGE) if self.ema_momentum else found

    def constants(self) -> dict[str, float]:
        """Every float of the spec, rounded to float32 once (see ``as_float32``)."""
        return {
            entry.name: as_float32(value)
            for entry in dataclasses.fields(self)
            if isinstance(value := getattr(self, entry.name), float)
        }
