"""A forward pass whose gradients pass through ``detach``, ``.data`` and ``torch.no_grad``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from torch_impl.private_api import no_grad_ignored


class _ThroughDetach(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in (Tensor.detach, Tensor.detach_, torch.detach, Tensor.data.__get__):
            return args[0]
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def through_detach() -> Iterator[None]:
    """Meanwhile ``detach``, ``.data`` and ``torch.no_grad`` do nothing."""
    with no_grad_ignored(), _ThroughDetach():
        yield
