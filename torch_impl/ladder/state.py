"""Everything needed to resume a training, in canonical form. Twin: ``keras_impl/ladder/state.py``.

Deliberate differences: each reads its own optimizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from parity.adapters.backend import Model
from parity.adapters.state import State
from parity.ladder.checkpoint import ACCUMULATED
from parity.specs.run import Spec
from torch_impl.ladder.weights import Place
from torch_impl.optim.base import KerasOptimizer
from torch_impl.optim.schedules import KerasSchedule
from torch_impl.parts.callbacks import Callbacks


class Trained(Model, Protocol):
    """A classifier with an optimizer whose state can be read and written."""

    spec: Spec
    optimizer: KerasOptimizer
    callbacks: Callbacks
    schedule: KerasSchedule | None
    trained: list[Tensor]
    places: dict[str, Place]

    def canonical(self, values: Mapping[Tensor, Tensor]) -> dict[str, np.ndarray]:
        """Tensors per parameter, by canonical name and in canonical layout."""


def state_of(model: Trained) -> State:
    """A copy of the model's state."""
    (group,) = model.optimizer.param_groups
    best_weights, numbers = model.callbacks.state()
    numbers["calls"] = group["calls"]
    numbers["learning_rate"] = model.learning_rate()
    if model.spec.optimizer.name == "nadam":
        numbers["product"] = float(group.get("product", 1.0))
    slots = model.slots()
    if model.optimizer.accumulation_steps > 1:
        sums = model.optimizer.of(model.trained, ACCUMULATED)
        named = model.canonical(dict(zip(model.trained, sums, strict=True)))
        slots |= {f"{ACCUMULATED}/{name}": value for name, value in named.items()}
    return State(model.weights(), slots, best_weights, numbers)


@torch.no_grad()
def restore(model: Trained, state: State) -> None:
    """Set the model's state to one from either framework."""
    (group,), numbers = model.optimizer.param_groups, dict(state.numbers)
    model.set_weights(state.weights)
    model.optimizer.start()
    for name, value in state.slots.items():
        slot, _, parameter = name.partition("/")
        place = model.places[parameter]
        parts = place.from_canonical(torch.as_tensor(value))
        for tensor, part in zip(place.tensors, parts, strict=True):
            model.optimizer.state[tensor][slot].copy_(part)
    group["calls"] = numbers.pop("calls")
    if model.schedule:
        model.schedule.last_epoch = group["calls"]
    group["lr"] = numbers.pop("learning_rate")
    if "product" in numbers:
        group["product"] = numbers.pop("product")
    model.callbacks.restore(state.best_weights, numbers)
