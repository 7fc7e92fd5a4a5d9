"""Whether a module whose forward pass is overridden computes what PyTorch's own class computes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from parity.adapters.nesting import flat
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from torch_impl.ladder.network import to_numpy


def computes_the_same(
    module: nn.Module,
    kind: Any,
    forward: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> bool:
    """Whether both forward passes give the same in evaluation mode, up to rounding.

    Args:
        module: an instance of ``kind``.
        kind: PyTorch's class.
        forward: that of the module.
        args: what it is called with; arguments that are None are left out for ``kind``.
        kwargs: likewise.
    """
    given = [one for one in args if one is not None]
    named = {name: one for name, one in kwargs.items() if one is not None}
    with torch.no_grad(), _in_evaluation(module):
        try:
            own = flat((forward(*args, **kwargs),))
            base = flat((kind.forward(module, *given, **named),))
        except Exception:
            return False
    tensors = all(isinstance(one, Tensor) for one in (*own, *base))
    return tensors and len(own) == len(base) and all(map(_same, own, base))


def _same(own: Tensor, base: Tensor) -> bool:
    double = own.dtype == base.dtype == torch.float64
    limit = tolerance.FLOAT64["forward_eval"].limit if double else tolerance.ROUNDING_MAX
    return own.shape == base.shape and relative_error(to_numpy(own), to_numpy(base)) <= limit


@contextlib.contextmanager
def _in_evaluation(module: nn.Module) -> Iterator[None]:
    """The module in evaluation mode, where nothing is drawn or updated."""
    before = [(one, one.training) for one in module.modules()]
    for one, _ in before:
        one.training = False
    try:
        yield
    finally:
        for one, training in before:
            one.training = training
