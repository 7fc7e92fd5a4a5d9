"""What a PyTorch model computes in float32 although the model computes in float64.

``x.float()``, ``softmax(…, dtype=torch.float32)``, a table computed in float32 when the model was
built. :class:`InFloat64` computes it in float64.

Twin: ``keras_impl/capture/precision/float32_islands.py``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from torch_impl.capture.dtypes import default_dtype
from torch_impl.capture.module_state import tensors_kept
from torch_impl.capture.read.functions import name_of

SAME_CONSTANT = 1e-3
"""Largest relative difference of a table computed in float32 and in float64."""

DIGITS = 6
"""Decimal digits up to which a float32 number counts as written, not computed."""

MOST_ENTRIES = 4096
"""Entries of a tensor beyond which nobody has written them."""

FACTORIES = {"tensor", "as_tensor", "asarray", "new_tensor", "scalar_tensor"}
"""Functions that have rounded their numbers before they reach an operation."""


class InFloat64:
    """While it is entered, operations that would compute in float32 compute in float64.

    Args:
        seen: is called with the name of each such operation.
    """

    def __init__(self, seen: Callable[[str], None] = lambda _: None) -> None:
        self.seen = seen
        self.modes = contextlib.ExitStack()

    def __enter__(self) -> None:
        self.modes.enter_context(_Operations(self.seen))
        self.modes.enter_context(_Factories())

    def __exit__(self, *error: object) -> None:
        self.modes.close()


class _Operations(TorchDispatchMode):
    """Sees the operations themselves, also those of scripted code."""

    def __init__(self, seen: Callable[[str], None]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        single = False

        def double(value: Any) -> Any:
            nonlocal single
            single |= value is torch.float32 or _single(value)
            return _double(value) if changes else _double_dtype(value)

        changes = not func._schema.is_mutable and not func.is_view
        args, kwargs = _mapped(double, args), _mapped(double, kwargs or {})
        if single:
            self.seen(func.overloadpacket.__name__)
        return func(*args, **kwargs)


class _Factories(TorchFunctionMode):
    """Sees the numbers that become a tensor before they are rounded."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if name_of(func) in FACTORIES:
            args, kwargs = _mapped(_double_dtype, args), _mapped(_double_dtype, kwargs)
        return func(*args, **kwargs)


def _double_dtype(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value


def _single(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype is torch.float32


def _double(value: Any) -> Any:
    return value.double() if _single(value) else _double_dtype(value)


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(function, one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_mapped(function, one) for one in value)
    return function(value)


class Constants:
    """Constants that a model's builder has rounded to float32, with all their digits.

    Args:
        model: in float64, as it was built in float32.
        builder: the function that built it; None of a model that was given as it is, whose short
            numbers are taken as they would be written.
    """

    def __init__(self, model: nn.Module, builder: Callable[[], nn.Module] | None) -> None:
        self.model = model
        held = {name: one for name, one in _held(model).items() if _from_float32(one)}
        exact = _built(builder) if builder else {}
        self.rounded = {}
        for name, one in held.items():
            values = (exact.get(name), _as_written(one))
            value = next((v for v in values if v is not None and _same_constant(one, v)), None)
            if value is not None:
                self.rounded[name] = one.detach().clone(), value

    @contextlib.contextmanager
    def exact(self) -> Iterator[None]:
        """The model has the exact constants meanwhile, except those that others have replaced."""
        held = _held(self.model)
        changed = []
        with torch.no_grad():
            for name, (before, value) in self.rounded.items():
                if name in held and torch.equal(held[name], before):
                    held[name].copy_(value)
                    changed.append((held[name], before))
        try:
            yield
        finally:
            with torch.no_grad():
                for one, before in changed:
                    one.copy_(before)


def _held(model: nn.Module) -> dict[str, Tensor]:
    """Floating buffers, and floating tensors among the attributes, by where they are."""
    found = {name: one for name, one in model.named_buffers() if one.is_floating_point()}
    for path, module in model.named_modules():
        if not isinstance(module, torch.jit.ScriptModule):
            for place, (_, key, value) in enumerate(tensors_kept(module)):
                found[f"{path}:{key}:{place}"] = value.detach()
    return {name: one for name, one in found.items() if one.layout is torch.strided}


def _built(builder: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """The constants of a model that is built in float64; none where it cannot be."""
    with torch.random.fork_rng(devices=[]), default_dtype(torch.float64):
        try:
            with InFloat64():
                return _held(builder())
        except Exception:
            return {}


def _from_float32(tensor: Tensor) -> bool:
    return bool(torch.equal(tensor, tensor.float().double()))


def _as_written(tensor: Tensor) -> Tensor | None:
    """The shortest decimal numbers that are rounded to these; None where some are not short."""
    if tensor.numel() > MOST_ENTRIES:
        return None
    numbers = tensor.float().flatten().numpy()
    texts = [np.format_float_scientific(one, unique=True) for one in numbers]
    if any(len(text.split("e")[0].lstrip("-").replace(".", "")) > DIGITS for text in texts):
        return None
    return torch.tensor([float(one) for one in texts], dtype=torch.float64).reshape(tensor.shape)


def _same_constant(rounded: Tensor, exact: Tensor) -> bool:
    """Whether these are different, and by what computing in float32 explains."""
    if exact.shape != rounded.shape or exact.dtype != rounded.dtype or not rounded.numel():
        return False
    difference = (exact - rounded).abs().max()
    return bool(0 < difference <= SAME_CONSTANT * rounded.abs().max())
