"""What a PyTorch model's modules keep between calls besides parameters: caches, carried states.

Each run starts from the same: a table that is cached in the first call would be missing from the
calls of the second, and a recurrent state would be carried from one comparison to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

INTERNAL = {*vars(nn.Module()), "momentum", "eps", "negative_slope", "forward"}
"""Attributes that PyTorch keeps itself, and those that a trainer changes on purpose."""


class ModuleState:
    """The attributes of all modules at one time, to restore them; parameters are left out.

    Args:
        model: whose modules' attributes, and buffers outside its ``state_dict``, are remembered.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.names = {module: name for name, module in model.named_modules()}
        self.attributes = [
            (one, {name: _copied(value) for name, value in own_attributes(one).items()})
            for one in model.modules()
            if not isinstance(one, torch.jit.ScriptModule)
        ]
        saved = model.state_dict().keys()
        self.buffers = {
            name: (one, one.detach().clone())
            for name, one in model.named_buffers()
            if name not in saved
        }

    def changed(self) -> list[str]:
        """Names of the modules with tensors among their attributes that are others by now."""
        found = []
        for module, attributes in self.attributes:
            now = own_attributes(module)
            before = {name: getattr(one, "live", one) for name, one in attributes.items()}
            others = [name for name, one in now.items() if one is not before.get(name)]
            if any(isinstance(now[name], (Tensor, tuple, list, dict)) for name in others):
                found.append(self.names[module] or type(module).__name__)
        return found

    def restore(self) -> None:
        """Set every attribute as it was; those that have been added since are removed."""
        for module, attributes in self.attributes:
            for name in own_attributes(module).keys() - attributes.keys():
                delattr(module, name)
            for name, value in attributes.items():
                vars(module)[name] = _restored(value)
        now = dict(self.model.named_buffers())
        with torch.no_grad():
            for name, (buffer, value) in self.buffers.items():
                module = self.model.get_submodule(name.rpartition(".")[0])
                if now.get(name) is not buffer:
                    module._buffers[name.rpartition(".")[2]] = buffer
                if not buffer.is_inference():
                    buffer.detach().copy_(value)


def own_attributes(module: nn.Module) -> dict[str, Any]:
    """The attributes that a module's author has set, without parameters, buffers and modules."""
    return {name: value for name, value in vars(module).items() if name not in INTERNAL}


class _Container:
    """A list, dictionary or set, and what it held."""

    def __init__(self, live: Any) -> None:
        self.live = live
        items = live.items() if isinstance(live, dict) else enumerate(live)
        self.held = [(key, _copied(value)) for key, value in items]

    def restored(self) -> Any:
        values = [(key, _restored(value)) for key, value in self.held]
        self.live.clear()
        if isinstance(self.live, dict):
            self.live.update(values)
        elif isinstance(self.live, set):
            self.live.update(value for _, value in values)
        else:
            self.live.extend(value for _, value in values)
        return self.live


class _Values:
    """A tensor outside the parameters, and its entries."""

    def __init__(self, live: Tensor) -> None:
        self.live, self.values, self.version = live, live.detach().clone(), live._version

    def restored(self) -> Tensor:
        if self.live._version != self.version:
            with torch.no_grad():
                self.live.detach().copy_(self.values)
            self.version = self.live._version
        return self.live


def _copied(value: Any) -> Any:
    if type(value) in (dict, list, set):
        return _Container(value)
    plain = isinstance(value, Tensor) and not isinstance(value, nn.Parameter)
    return _Values(value) if plain and not value.is_inference() else value


def _restored(value: Any) -> Any:
    return value.restored() if isinstance(value, (_Container, _Values)) else value


def tensors_kept(module: nn.Module) -> Iterator[tuple[Any, Any, Tensor]]:
    """Floating tensors among a module's attributes: where each is kept, under what, and itself."""
    ahead: list[Any] = [vars(module)]
    while ahead:
        holder = ahead.pop()
        items = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, value in items:
            if holder is vars(module) and key in INTERNAL:
                continue
            if type(value) in (dict, list):
                ahead.append(value)
            tensor = isinstance(value, Tensor) and not isinstance(value, nn.Parameter)
            if tensor and value.is_floating_point():
                yield holder, key, value


def in_dtype(model: nn.Module, dtype: torch.dtype) -> None:
    """Convert the float32 tensors that modules keep as attributes, as ``to`` converts buffers."""
    for module in model.modules():
        if not isinstance(module, torch.jit.ScriptModule):
            for holder, key, value in [*tensors_kept(module)]:
                if value.dtype is torch.float32:
                    holder[key] = value.to(dtype)
