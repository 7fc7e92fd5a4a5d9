"""The private functions and attributes of PyTorch that are used or patched, with their reasons.

Everything here may change with a new version; nothing else in ``capture`` uses them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch._functorch import apis

PACKED, PADDED = "_pack_padded_sequence", "_pad_packed_sequence"
"""Names of the functions behind ``pack_padded_sequence`` and ``pad_packed_sequence``: they are what
a function mode sees."""


def version_of(tensor: Tensor) -> int:
    """How often a tensor was written into; -1 for inference tensors, which do not count.

    It shows whether an array that shares the tensor's memory is out of date.
    """
    return -1 if tensor.is_inference() else tensor._version


def base_of(tensor: Tensor) -> Tensor | None:
    """The tensor that this one is a view of: ``x @ weight.T`` is then a linear layer."""
    return tensor._base


def storage_of(tensor: Tensor) -> int | None:
    """The address of a tensor's memory; None where it has none, as within ``torch.vmap``."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):
        return None


def transformed(tensor: Tensor) -> bool:
    """Whether a tensor is a stand-in within ``torch.vmap``, ``torch.func.grad`` and the like."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(tensor))


@contextlib.contextmanager
def vmap_replaced(wrap: Callable[[Any], Any]) -> Iterator[None]:
    """Replace what ``torch.vmap`` runs: it is no function that a function mode sees.

    Args:
        wrap: from PyTorch's function, whose first arguments are the mapped function, ``in_dims``
            and ``out_dims``, to the one that replaces it.
    """
    before = apis.vmap_impl
    apis.vmap_impl = wrap(before)
    try:
        yield
    finally:
        apis.vmap_impl = before


def unwrapped(model: nn.Module) -> nn.Module:
    """The module inside the wrappers of ``torch.compile`` and data parallelism."""
    for wrapper in ("_orig_mod", "module"):
        inner = dict(model.named_children()).get(wrapper)
        if inner is not None and type(model).__module__.startswith("torch."):
            model = inner
    return model


@contextlib.contextmanager
def no_grad_ignored() -> Iterator[None]:
    """Let ``torch.no_grad`` do nothing: gradients are measured through it."""
    before = torch.no_grad.__enter__
    torch.no_grad.__enter__ = lambda self: setattr(self, "prev", torch.is_grad_enabled())
    try:
        yield
    finally:
        torch.no_grad.__enter__ = before
