"""How a fault is planted into the PyTorch twin, and where it must be found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from torch import nn

from torch_impl.ladder.training import TorchModel

Plant = Callable[[pytest.MonkeyPatch], None]
Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A model that a fault is planted in.

    Attributes:
        family, variant, optimizer: the model and its training.
        part: what must be blamed: a layer, ``data``, ``loss``, ``optimizer``, or nothing.
        recipe: a name that :func:`parity_tests.support.cases.recipe` knows, or none.
        step: the optimizer step to be named, or None.
    """

    family: str
    variant: str
    part: str
    optimizer: str = "sgd"
    recipe: str = ""
    step: int | None = None


@dataclass(frozen=True)
class Fault:
    """A small edit of the twin or of its training, and where it must first show.

    Attributes:
        name: the difference, as in ``batch_norm.epsilon``.
        rung: where it is to be found first.
        plant: the edit, undone with the patch.
        cases: every kind of model that it applies to.
        dtype: what finds it.
        drive: what both sides do to make it show, where it would be invisible by its nature.
    """

    name: str
    rung: str
    plant: Plant
    cases: tuple[Case, ...]
    dtype: str = "float64"
    drive: Plant | None = field(default=None)


def adjusted(change: Callable[[nn.Module], object]) -> Plant:
    """Change the finished network before its first use."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        build = TorchModel.__init__

        def built(self: TorchModel, model: nn.Module, *args: object) -> None:
            change(model)
            build(self, model, *args)

        patch.setattr(TorchModel, "__init__", built)

    return plant


def replaced(owner: object, name: str, value: object) -> Plant:
    """Put another function or constant in place of the twin's."""
    return lambda patch: patch.setattr(owner, name, value)


def wrapped(owner: object, name: str, wrap: Callable[..., object]) -> Plant:
    """``wrap(original, *args)`` runs instead of the original."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        original = getattr(owner, name)
        patch.setattr(owner, name, lambda *args, **kwargs: wrap(original, *args, **kwargs))

    return plant


def every(kind: type[nn.Module], **attributes: object) -> Plant:
    """Set attributes on every module of a kind."""

    def change(model: nn.Module) -> None:
        for module in model.modules():
            if isinstance(module, kind):
                for name, value in attributes.items():
                    setattr(module, name, value)

    return adjusted(change)


def forward_of(path: str, forward: Callable[..., object]) -> Plant:
    """Run ``forward(module, *args)`` in place of the forward pass of the module at ``path``."""

    def change(model: nn.Module) -> None:
        module = model.get_submodule(path)
        module.forward = lambda *args, **kwargs: forward(module, *args, **kwargs)

    return adjusted(change)


def around(path: str, wrap: Callable[..., object]) -> Plant:
    """Run ``wrap(forward, *args)`` in place of the forward pass of the module at ``path``."""

    def change(model: nn.Module) -> None:
        module = model.get_submodule(path)
        original = module.forward
        module.forward = lambda *args, **kwargs: wrap(original, *args, **kwargs)

    return adjusted(change)


def loaded_with(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Plant:
    """Load another value for one tensor."""

    def load(original: Callable[..., None], self: TorchModel, weights: Weights) -> None:
        original(self, {**weights, name: change(weights[name])})

    return wrapped(TorchModel, "set_weights", load)
