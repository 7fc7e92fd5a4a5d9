"""Where a module's parameters and buffers are, by canonical name, in any model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from parity.adapters.transfer import Form
from torch_impl.capture.read.layout import Layout
from torch_impl.capture.read.registry import Places, reader_of
from torch_impl.ladder.weights import Place, same


def of_module(module: nn.Module, layouts: Sequence[Layout]) -> Places:
    """Canonical name to place; a missing bias is left out.

    Args:
        module: of any kind; an unknown one has its own names and shapes.
        layouts: of its inputs: after a channels-first map is flattened, the rows of a dense kernel
            have another order than after a channels-last one.
    """
    reader = reader_of(module)
    found = reader.weights(module, layouts) if reader and reader.weights else None
    if found is None:
        found = {name: same(one) for name, one in _own(module).items()}
    return {name: place for name, place in found.items() if place.tensors[0] is not None}


def part_of(place: Place, form: Form) -> Place:
    """A weight, or a part of it, in the shape of the Keras weight that it holds."""

    def from_canonical(value: Tensor) -> tuple[Tensor, ...]:
        whole = place.to_canonical(*place.tensors).detach()
        return place.from_canonical(form.to_torch(value, whole))

    return Place(
        place.tensors,
        lambda *tensors: form.to_keras(place.to_canonical(*tensors)),
        from_canonical,
    )


def untrained(model: nn.Module) -> dict[str, Any]:
    """Copies of what a call may move, by the module's own names: all but trained parameters."""
    named = model.named_parameters(remove_duplicate=False)
    trained = {name for name, one in named if one.requires_grad}
    state = model.state_dict().items()
    return copy.deepcopy({name: value for name, value in state if name not in trained})


def _own(module: nn.Module) -> dict[str, Tensor]:
    named = (*module.named_parameters(), *module.named_buffers())
    return {name: tensor for name, tensor in named if tensor.is_floating_point()}
