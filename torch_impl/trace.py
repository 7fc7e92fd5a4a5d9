"""What each named layer gives, caught by hooks while the model runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from torch_impl.weights import canonical_name


@contextmanager
def traced(model: nn.Module, names: tuple[str, ...]) -> Iterator[dict[str, np.ndarray]]:
    """Collect the output of every layer in ``names`` while the model is called in this context.

    Yields:
        Layer name to array, filled as the layers run, canonical (channels last).
    """
    found: dict[str, np.ndarray] = {}

    def watch(name: str, module: nn.Module) -> None:
        def caught(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            images = output.ndim == 4
            canonical = output.permute(0, 2, 3, 1) if images else output
            found[name] = canonical.detach().cpu().numpy().copy()

        hooks.append(module.register_forward_hook(caught))

    hooks: list[RemovableHandle] = []
    try:
        for path, module in model.named_modules():
            if canonical_name(path) in names:
                watch(canonical_name(path), module)
        yield found
    finally:
        for hook in hooks:
            hook.remove()
