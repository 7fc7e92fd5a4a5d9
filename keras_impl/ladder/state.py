"""Everything needed to resume a training, in canonical form. Twin: ``torch_impl/ladder/state.py``.

Deliberate differences: each reads its own optimizer.
"""

from __future__ import annotations

from typing import Any, Protocol

from keras_impl.parts.callbacks import Callbacks
from parity.adapters.backend import Model
from parity.adapters.state import State
from parity.ladder.checkpoint import ACCUMULATED
from parity.specs.run import Spec


class Trained(Model, Protocol):
    """A classifier with an optimizer whose state can be read and written."""

    spec: Spec
    optimizer: Any
    callbacks: Callbacks

    def slot_variables(self) -> dict[str, Any]:
        """The optimizer's variables by ``slot/parameter``."""

    def trained_names(self) -> list[str]:
        """Canonical names of the trained parameters, in the order of the model's variables."""


def state_of(model: Trained) -> State:
    """A copy of the model's state."""
    optimizer = model.optimizer
    best_weights, numbers = model.callbacks.state()
    numbers["calls"] = int(optimizer._iterations)
    numbers["learning_rate"] = model.learning_rate()
    if (product := getattr(optimizer, "_u_product", None)) is not None:
        numbers["product"] = float(product)
    slots = model.slots()
    for name, sums in _accumulated(model).items():
        slots[f"{ACCUMULATED}/{name}"] = sums.numpy()
    return State(model.weights(), slots, best_weights, numbers)


def restore(model: Trained, state: State) -> None:
    """Set the model's state to one from either framework."""
    optimizer, numbers = model.optimizer, dict(state.numbers)
    model.set_weights(state.weights)
    variables = model.slot_variables()
    for name, sums in _accumulated(model).items():
        variables[f"{ACCUMULATED}/{name}"] = sums
    for name, variable in variables.items():
        variable.assign(state.slots[name])
    optimizer._iterations.assign(numbers.pop("calls"))
    rate = numbers.pop("learning_rate")
    if model.spec.schedule.name == "constant":
        optimizer.learning_rate = rate
    if "product" in numbers:
        optimizer._u_product.assign(numbers.pop("product"))
    model.callbacks.restore(state.best_weights, numbers)


def _accumulated(model: Trained) -> dict[str, Any]:
    """The sums of gradients since the last step, by parameter."""
    sums = getattr(model.optimizer, "_accumulated_gradients", None) or []
    return dict(zip(model.trained_names(), sums, strict=True)) if sums else {}
