"""Learning-rate schedules by name, their options, and a spec with every value explicit.

As in Keras, rates are float32 numbers for any dtype of the weights. The formulas are in
``torch_impl/optim/schedules.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from parity.constants import as_float32
from parity.errors import ParityError
from parity.options import Checked, option

NEEDED = object()
"""Marks an option without a default, which the user must give."""


@dataclass(frozen=True)
class Row:
    """One schedule.

    Attributes:
        kind: name of the class in both frameworks.
        options: option to its default, :data:`NEEDED` if there is none.
        renamed: options that have another name in the class.
    """

    kind: str
    options: Mapping[str, Any]
    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)


SCHEDULES: dict[str, Row] = {
    "constant": Row("", {}),
    "exponential": Row(
        "ExponentialDecay", {"decay_steps": NEEDED, "decay_rate": NEEDED, "staircase": False}
    ),
    "inverse_time": Row(
        "InverseTimeDecay", {"decay_steps": NEEDED, "decay_rate": NEEDED, "staircase": False}
    ),
    "polynomial": Row(
        "PolynomialDecay",
        {"decay_steps": NEEDED, "end_learning_rate": 1e-4, "power": 1.0, "cycle": False},
    ),
    "piecewise_constant": Row("PiecewiseConstantDecay", {"boundaries": NEEDED, "values": NEEDED}),
    "cosine": Row(
        "CosineDecay",
        {"decay_steps": NEEDED, "alpha": 0.0, "warmup_target": None, "warmup_steps": 0},
    ),
    "cosine_restarts": Row(
        "CosineDecayRestarts",
        {"decay_steps": NEEDED, "t_mul": 2.0, "m_mul": 1.0, "alpha": 0.0},
        {"decay_steps": "first_decay_steps"},
    ),
}


def taking(option: str) -> list[str]:
    """Names of the schedules that have an option."""
    return [name for name, row in SCHEDULES.items() if option in row.options]


def default(option: str) -> Any:
    """The default of an option; every schedule that has the option has the same default."""
    return next(row.options[option] for row in SCHEDULES.values() if option in row.options)


@dataclass(frozen=True, kw_only=True)
class ScheduleSpec(Checked):
    """A schedule of the learning rate, which starts at the optimizer's.

    An omitted option gets the table's default. Options that the schedule lacks are None and cannot
    be set.
    """

    name: str = option(
        "constant",
        help="how the learning rate changes from step to step",
        kind=str,
        choices=tuple(SCHEDULES),
    )
    decay_steps: int | None = option(
        None,
        help="steps until the final rate, until a decay by the decay rate, or until a restart",
        kind=int,
        minimum=1,
        maximum=2**24,  # the largest integer range that float32 represents exactly
    )
    decay_rate: float | None = option(
        None, help="factor of a decay, or its strength", kind=float, minimum=0
    )
    staircase: bool | None = option(None, help="decay in whole steps of decay-steps", kind=bool)
    end_learning_rate: float | None = option(None, help="final rate", kind=float, minimum=0)
    power: float | None = option(
        None, help="power of the remaining share of steps", kind=float, minimum=0
    )
    cycle: bool | None = option(None, help="start again instead of ending", kind=bool)
    boundaries: tuple[int, ...] | None = option(
        None,
        help="steps after which the rate changes, in ascending order",
        kind=int,
        many=True,
        minimum=0,
        empty=False,
    )
    values: tuple[float, ...] | None = option(
        None,
        help="rates after each boundary; before the first one it is the learning rate",
        kind=float,
        many=True,
        minimum=0,
        empty=False,
    )
    alpha: float | None = option(
        None, help="smallest rate relative to the highest", kind=float, minimum=0, maximum=1
    )
    warmup_target: float | None = option(
        None, help="rate at the end of the warmup, before the decay", kind=float, minimum=0
    )
    warmup_steps: int | None = option(
        None, help="steps of the warmup", kind=int, minimum=0, maximum=2**24
    )
    t_mul: float | None = option(
        None, help="length of each period relative to the previous one", kind=float, minimum=1
    )
    m_mul: float | None = option(
        None, help="height of each period relative to the previous one", kind=float, minimum=0
    )

    def __post_init__(self) -> None:
        row = SCHEDULES.get(self.name)
        if row:
            for name, value in row.options.items():
                if getattr(self, name) is None and value is not NEEDED:
                    object.__setattr__(self, name, value)
        super().__post_init__()
        self._check_options()

    def _check_options(self) -> None:
        own = SCHEDULES[self.name].options
        for entry in dataclasses.fields(self)[1:]:
            value = getattr(self, entry.name)
            if value is not None and entry.name not in own:
                raise ParityError(
                    f"{entry.name}: received {value!r} with lr_schedule {self.name!r}, "
                    f"accepted: with {', '.join(taking(entry.name))}"
                )
            if value is None and own.get(entry.name) is NEEDED:
                accepts = entry.metadata["accepts"]
                raise ParityError(
                    f"{entry.name}: received nothing with lr_schedule {self.name!r}, accepted: "
                    f"{accepts.describe()}"
                )
        if self.warmup_steps and self.warmup_target is None:
            raise ParityError(
                f"warmup_steps: received {self.warmup_steps} without warmup_target, accepted: 0, "
                "or with it"
            )
        if self.boundaries and self.values:
            if any(low >= high for low, high in pairwise(self.boundaries)):
                raise ParityError(
                    f"boundaries: received {' '.join(map(str, self.boundaries))}, accepted: "
                    "rising numbers"
                )
            if len(self.values) != len(self.boundaries):
                raise ParityError(
                    f"values: received {len(self.values)} with {len(self.boundaries)} boundaries, "
                    "accepted: one for each"
                )

    def arguments(self, learning_rate: float) -> dict[str, Any]:
        """The arguments of both frameworks' class besides the initial rate, rounded to float32.

        Args:
            learning_rate: the initial rate, for the schedule that lists all of its rates.
        """
        row = SCHEDULES[self.name]
        found: dict[str, Any] = {}
        for name in row.options:
            value = getattr(self, name)
            if isinstance(value, float):
                value = as_float32(value)
            found[row.renamed.get(name, name)] = value
        if self.boundaries and self.values:
            rates = [as_float32(rate) for rate in (learning_rate, *self.values)]
            found = {"boundaries": list(self.boundaries), "values": rates}
        return found


CONSTANT = ScheduleSpec()
"""The optimizer's rate in every step."""
