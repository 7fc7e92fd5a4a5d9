"""All that a training has to go on from, in canonical terms. Twin: ``keras_impl/ladder/state.py``.

Deliberate differences: each reads its own optimizer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from parity.adapters.state import State
from parity.ladder.checkpoint import ACCUMULATED

if TYPE_CHECKING:
    from torch_impl.ladder.training import TorchModel


def state_of(model: TorchModel) -> State:
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
def restore(model: TorchModel, state: State) -> None:
    """Put a state, of either framework, in place of the model's own."""
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
