"""Record the output and mask of each named layer by hooks while the model runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from torch_impl.ladder.weights import canonical_name


@dataclass
class Trace:
    """The recorded PyTorch tensors, channels-first.

    Attributes:
        outputs: layer name to its output.
        masks: layer name to its keep mask or random numbers.
    """

    outputs: dict[str, Tensor] = field(default_factory=dict)
    masks: dict[str, Tensor] = field(default_factory=dict)


@contextmanager
def traced(
    model: nn.Module, names: tuple[str, ...], given: Mapping[str, Tensor] | None = None
) -> Iterator[Trace]:
    """Record every layer in ``names`` while the model is called in this context.

    Args:
        model: the network.
        names: canonical layer names.
        given: layer name to a substitute for its output, so that the next layer, and a penalty on
            this layer's output, depend only on the substitute.
    """
    found = Trace()

    def watch(name: str, module: nn.Module) -> None:
        def after(_module: nn.Module, args: Any, kwargs: dict[str, Any], output: Tensor) -> Any:
            _, *others = args
            mask = others[0] if others else kwargs.get("keep")
            if isinstance(mask, Tensor) and mask.dtype != torch.int64:  # int64: lengths
                found.masks[name] = mask
            found.outputs[name] = output
            return given[name] if given else None

        # before the hook of a penalty, which must see the substitute
        hooks.append(module.register_forward_hook(after, prepend=True, with_kwargs=True))

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
    """A copy on the host, with images channels-last: (N, C, H, W) to (N, H, W, C)."""
    canonical = x.permute(0, 2, 3, 1) if x.ndim == 4 else x
    return canonical.detach().cpu().numpy().copy()


def from_canonical(x: Tensor) -> Tensor:
    """The inverse of :func:`to_canonical`, for a layer's input or output."""
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x
