"""Ways to inject a fault into the PyTorch twin, and where it must be found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from torch import nn

from parity_tests.support.fault import Fault, Twins
from torch_impl.ladder.training import TorchModel

Plant = Callable[[pytest.MonkeyPatch], None]
Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A model that a fault is injected into, and what must be reported there.

    Attributes:
        family, variant, optimizer, recipe: see :class:`Twins`.
        part: the layer, ``data``, ``loss`` or ``optimizer``; empty if none can be.
        step: the optimizer step, or None.
    """

    family: str
    variant: str
    part: str
    optimizer: str = "sgd"
    recipe: str = ""
    step: int | None = None


def twin(
    name: str,
    rung: str,
    plant: Plant,
    cases: Sequence[Case],
    dtype: str = "float64",
    drive: Plant | None = None,
) -> list[Fault[Twins]]:
    """The fault in each of the models; for the other arguments see :class:`Fault`."""
    return [
        Fault(
            name=name,
            models=Twins(case.family, case.variant, case.optimizer, case.recipe),
            inject=plant,
            drive=drive,
            rung=rung,
            dtype=dtype,
            layer=case.part,
            step=case.step,
        )
        for case in cases
    ]


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
    """Replace a function or a constant of the twin."""
    return lambda patch: patch.setattr(owner, name, value)


def wrapped(owner: object, name: str, wrap: Callable[..., object]) -> Plant:
    """Run ``wrap(original, *args)`` instead of the original function."""

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
    """Run ``forward(module, *args)`` instead of the forward pass of the module at ``path``."""

    def change(model: nn.Module) -> None:
        module = model.get_submodule(path)
        module.forward = lambda *args, **kwargs: forward(module, *args, **kwargs)

    return adjusted(change)


def around(path: str, wrap: Callable[..., object]) -> Plant:
    """Run ``wrap(forward, *args)`` instead of the forward pass of the module at ``path``."""

    def change(model: nn.Module) -> None:
        module = model.get_submodule(path)
        original = module.forward
        module.forward = lambda *args, **kwargs: wrap(original, *args, **kwargs)

    return adjusted(change)


def loaded_with(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Plant:
    """Change one tensor before it is loaded."""

    def load(original: Callable[..., None], self: TorchModel, weights: Weights) -> None:
        original(self, {**weights, name: change(weights[name])})

    return wrapped(TorchModel, "set_weights", load)
