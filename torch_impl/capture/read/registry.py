"""Registry of the readers: each is registered for its modules and functions where it is defined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor, nn

from torch_impl.capture.read.layout import Layout
from torch_impl.ladder.weights import Place

Config = Any
"""A dataclass of :mod:`parity.reference.layers`; None if it cannot express what is computed."""

Layouts = Sequence[Layout | None]
Places = dict[str, Place]
Read = TypeVar("Read", bound=Callable[..., Any])


@dataclass(frozen=True)
class ModuleReader:
    """How a class of modules is read.

    Attributes:
        config: the configuration, from the module and the shape of its input.
        weights: canonical name to place, from the module and the layouts of its inputs; a place
            without a tensor is left out. None: the module's own names and shapes.
        spatial: whether the second axis is that of the channels, whatever the input's layout.
        along_last: whether the last axis is that of the channels, whatever the input's layout; it
            may depend on the module.
        in_float32: sets, in a module, the constants that PyTorch chooses by dtype as in float32.
    """

    config: Callable[[Any, Sequence[int]], Config]
    weights: Callable[[Any, Sequence[Layout]], Places | None] | None = None
    spatial: bool = False
    along_last: bool | Callable[[Any], bool] = False
    in_float32: Callable[[Any], None] = lambda _: None


@dataclass(frozen=True)
class Function:
    """A function call that is a layer in Keras.

    Attributes:
        config: its configuration.
        inputs: its input tensors.
        spatial: whether their second axis is that of the channels.
        target: a function of the inputs alone, if the function that was called takes others.
    """

    config: Config
    inputs: tuple[Tensor, ...]
    spatial: bool = False
    target: Callable[..., Any] | None = None


FunctionReader = Callable[..., Function | None]

MODULES: dict[type[nn.Module], ModuleReader] = {}
"""Class of modules to its reader; a subclass has that of its nearest base class."""

FUNCTIONS: dict[str, FunctionReader] = {}
"""Name of a function to what reads a call: from the inputs' layouts and the call's arguments."""

PARAMETER_FUNCTIONS: dict[str, Callable[..., tuple[nn.Module, Tensor] | None]] = {}
"""Name of a function of weights to what makes a module that computes the same, and its input."""


def reader(*kinds: type[nn.Module], shaped: bool = False, **options: Any) -> Callable[[Read], Read]:
    """Register a function that reads the configuration of these classes of modules.

    Args:
        kinds: the classes.
        shaped: whether the function takes the shape of the input after the module.
        options: further fields of :class:`ModuleReader`.
    """

    def register(config: Read) -> Read:
        read = config if shaped else lambda module, _: config(module)
        MODULES.update(dict.fromkeys(kinds, ModuleReader(read, **options)))
        return config

    return register


def function(*names: str) -> Callable[[Read], Read]:
    """Register what reads a call of functions with these names, see :data:`FUNCTIONS`."""

    def register(read: Read) -> Read:
        FUNCTIONS.update(dict.fromkeys(names, read))
        return read

    return register


def parameter_function(*names: str) -> Callable[[Read], Read]:
    """Register what makes a module of a call, see :data:`PARAMETER_FUNCTIONS`."""

    def register(read: Read) -> Read:
        PARAMETER_FUNCTIONS.update(dict.fromkeys(names, read))
        return read

    return register


def reader_of(module: nn.Module) -> ModuleReader | None:
    """The reader of a module's class or its nearest base class; None if none is registered."""
    return next((MODULES[one] for one in type(module).__mro__ if one in MODULES), None)


def kind_of(module: nn.Module) -> str:
    """Name of the registered class among the module's base classes; empty if there is none."""
    return next((one.__name__ for one in type(module).__mro__ if one in MODULES), "")


def holding(module: nn.Module, **tensors: Tensor | None) -> nn.Module:
    """The module with these very tensors as its parameters."""
    for name, tensor in tensors.items():
        delattr(module, name)
        setattr(module, name, tensor)
    return module


def axis_of(layout: Layout, dim: int | None) -> int | None:
    """Canonical place of an axis; None where it, or one before it, is of several."""
    if dim is None or any(one != 1 for one in layout.merged[:-1]):
        return None
    number = dim % len(layout.merged)
    last = number == len(layout.merged) - 1
    if layout.merged[-1] != 1:
        return number if last else None
    return layout.axes[number]


def kwargs_dim(dim: int, given: Mapping[str, Any]) -> int:
    """``dim`` by its other name as well."""
    return int(given.get("axis", dim))


def dims_of(args: tuple[Any, ...], kwargs: Mapping[str, Any], rank: int) -> set[int] | None:
    """Axes that a reduction is over, counted from 0; None if it is not given."""
    given = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else None))
    several = given if isinstance(given, (tuple, list)) else [given]
    if any(isinstance(one, bool) or not isinstance(one, int) for one in several):
        return None
    return {one % rank for one in several}
