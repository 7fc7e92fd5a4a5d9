"""What all adapters share: arguments by Keras's names, conversion of arrays, missing classes."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import numpy as np
import torch
from torch import Tensor

IN_KERAS = ("name", "dtype")
"""Arguments that name an object or choose a policy; they do not enter the computation."""


class Computed:
    """Number of results that came from ``torch_impl``."""

    results = 0


def options_of(area: str, kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The arguments of a Keras class by name, only those that were given."""
    cls = getattr(importlib.import_module(f"keras.{area}"), kind)
    return dict(inspect.signature(cls).bind(*args, **kwargs).arguments)


def to_torch(value: Any, dtype: torch.dtype | None = None) -> Tensor:
    """Numbers, lists, arrays and Keras's tensors and variables as a tensor."""
    array = value if isinstance(value, np.ndarray | list | tuple) else np.asarray(value)
    if isinstance(array, np.ndarray):
        array = np.array(array)
    return torch.as_tensor(array if not isinstance(array, tuple) else list(array)).to(dtype)


def to_keras(result: Tensor) -> Any:
    """A result of ``torch_impl`` as a tensor of Keras's backend; it is counted."""
    from keras import ops

    Computed.results += 1
    result = result.detach()
    if result.dtype in (torch.bfloat16, torch.float16):
        return ops.cast(result.float().numpy(), str(result.dtype).removeprefix("torch."))
    return ops.convert_to_tensor(result.numpy())


def dtype_of(given: Any) -> torch.dtype:
    """The dtype that a Keras object computes in; None for Keras's default."""
    from keras.src import dtype_policies

    name = dtype_policies.get(given).compute_dtype
    found: torch.dtype = getattr(torch, name)
    return found


def missing(area: str, name: str) -> Any:
    """What stands for a class of Keras that ``torch_impl`` does not have.

    Raises:
        AttributeError: Keras does not have it either.
    """
    if name not in ("get", *vars(importlib.import_module(f"keras.src.{area}"))):
        raise AttributeError(f"{area}: received {name!r}, accepted: what Keras has")

    def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"torch_impl has no {name}")

    return type(name, (), {"__init__": refuse})
