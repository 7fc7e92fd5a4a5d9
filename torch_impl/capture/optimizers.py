"""The PyTorch optimizer that a user passes. Twin: ``keras_impl/capture/optimizers.py``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from parity.errors import ParityError
from torch_impl.capture.errors import describe_error


def users(make: Callable[[list[Tensor]], Any], params: list[Tensor]) -> tuple[Optimizer, Any]:
    """The optimizer of these parameters, and the scheduler that came with it, or None.

    Raises:
        ParityError: the function fails, or returns something else.
    """
    try:
        made = make(params)
    except Exception as error:
        raise ParityError(
            f"optimizer: PyTorch's raised {describe_error(error)}, accepted: a function of "
            "the parameters, such as torch.optim.SGD"
        ) from error
    optimizer, scheduler = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    steps = scheduler is None or isinstance(scheduler, LRScheduler)
    waits = isinstance(scheduler, ReduceLROnPlateau)  # for a score that no one gives it
    if not isinstance(optimizer, Optimizer) or not steps or waits:
        names = [type(one).__name__ for one in (made if isinstance(made, tuple) else [made])]
        raise ParityError(
            f"optimizer: PyTorch's returned {', '.join(names)}, accepted: a torch optimizer, or "
            "one and its scheduler, which goes on after every step"
        )
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise ParityError(
            f"optimizer: PyTorch's returned {type(optimizer).__name__}, whose step calls the model "
            "again, accepted: one whose step takes nothing, such as torch.optim.SGD"
        )
    return optimizer, scheduler


def known_class(optimizer: type) -> str:
    """The name of an optimizer's class; of a user's own class that of the one it extends."""
    packages = ("torch.optim", "torch_impl.optim")
    known = (one for one in optimizer.__mro__ if one.__module__.startswith(packages))
    found = next(known, Optimizer)
    return (optimizer if found is Optimizer else found).__name__
