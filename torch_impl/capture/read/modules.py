"""A module's configuration in Keras's terms, and which of its axes is that of the channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from torch_impl.capture.read.registry import MODULES, PARAMETER_FUNCTIONS, Config, reader_of


def config_of(module: nn.Module, shape: Sequence[int] = ()) -> Config:
    """The module's configuration; None for unknown kinds.

    Args:
        module: a module.
        shape: the shape of its input, which decides what ``ceil_mode`` amounts to.
    """
    reader = reader_of(module)
    return reader.config(module, shape) if reader else None


def known(module: nn.Module) -> bool:
    """Whether it counts as one call: a registered class, or one of PyTorch's without children."""
    if reader_of(module):
        own: Any = type(module)
        return bool(own.forward is kind_of(module).forward)
    if isinstance(module, THIN):
        return False
    return type(module).__module__.startswith("torch.nn.") and not any(module.children())


def kind_of(module: nn.Module) -> Any:
    """The registered class that a module is an instance of; None where there is none."""
    return next((one for one in type(module).__mro__ if one in MODULES), None)


def spatial(module: nn.Module) -> bool:
    """Whether its second axis is that of the channels, whatever the input's layout."""
    reader = reader_of(module)
    return reader is not None and reader.spatial


def along_last(module: nn.Module) -> bool:
    """Whether its last axis is that of the channels, whatever the input's layout."""
    reader = reader_of(module)
    along = reader.along_last if reader else False
    return along(module) if callable(along) else along


def follow_float32(model: nn.Module) -> None:
    """Set the constants that PyTorch chooses by dtype as in float32, the dtype that users run."""
    for module in model.modules():
        if reader := reader_of(module):
            reader.in_float32(module)


def module_of(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[nn.Module, Tensor] | None:
    """A module that computes what a function of weights does, and its input; None if unknown.

    The module holds the very tensors that the function was called with.
    """
    reader = PARAMETER_FUNCTIONS.get(getattr(function, "__name__", ""))
    try:
        return reader(*args, **kwargs) if reader else None
    except (TypeError, AttributeError, ValueError):  # arguments that the reader does not expect
        return None


THIN = (
    *(nn.Identity, nn.Unflatten, nn.Softmax, nn.Softmax2d, nn.LogSoftmax),
    *(nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d),
    *(nn.PixelShuffle, nn.PixelUnshuffle),
)
"""Modules of a single function, whose call is read instead."""
