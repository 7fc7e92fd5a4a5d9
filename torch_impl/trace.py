"""What each named layer takes and gives, caught by hooks while the model runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from torch_impl.weights import canonical_name


@dataclass
class Trace:
    """What was caught; tensors as PyTorch has them, channels first.

    Attributes:
        outputs: layer name to what it returned.
        masks: dropout layer's name to the keep mask it was given.
    """

    outputs: dict[str, Tensor] = field(default_factory=dict)
    masks: dict[str, Tensor] = field(default_factory=dict)


@contextmanager
def traced(
    model: nn.Module, names: tuple[str, ...], fed: Mapping[str, Tensor] | None = None
) -> Iterator[Trace]:
    """Catch every layer in ``names`` while the model is called in this context.

    Args:
        model: the network.
        names: canonical layer names.
        fed: layer name to the input that it gets in place of its own, so that what it gives
            depends on this input alone.
    """
    found = Trace()

    def watch(name: str, module: nn.Module) -> None:
        def before(_module: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
            x, *others = args
            if fed and name in fed:
                x = fed[name].to(x.dtype)
            mask = others[0] if others else kwargs.get("keep")
            if isinstance(mask, Tensor) and mask.dtype == torch.bool:
                found.masks[name] = mask
            return (x, *others), kwargs

        def after(_module: nn.Module, _args: object, output: Tensor) -> None:
            found.outputs[name] = output

        hooks.append(module.register_forward_pre_hook(before, with_kwargs=True))
        hooks.append(module.register_forward_hook(after))

    hooks: list[RemovableHandle] = []
    try:
        for path, module in model.named_modules():
            if canonical_name(path) in names:
                watch(canonical_name(path), module)
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def to_canonical(x: Tensor) -> np.ndarray:
    """A copy on the host, images channels last: (N, C, H, W) to (N, H, W, C)."""
    canonical = x.permute(0, 2, 3, 1) if x.ndim == 4 else x
    return canonical.detach().cpu().numpy().copy()


def from_canonical(x: Tensor) -> Tensor:
    """The way back from :func:`to_canonical`, for what one layer gives the next."""
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x
