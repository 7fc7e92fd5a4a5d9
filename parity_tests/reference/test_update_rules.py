"""The update rule of each optimizer, with PyTorch's settings, gives the weights of ``torch.optim``.

With Keras's settings it gives Keras's: ``parity_tests/torch_impl/test_optimizers.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from parity.numerics import tolerance
from parity.pairs.causes.training.optimizer import StepInput, weight_after
from parity.reference.keras_config import rounded
from parity.reference.optimizers.settings import of_either, of_torch
from parity_tests.support.ten_steps import SHAPE, gradient_sequence
from torch_impl import optim
from torch_impl.capture.dtypes import default_dtype

GROUPS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adam", {"weight_decay": 0.1}),
    ("Adam", {"amsgrad": True, "betas": (0.5, 0.6)}),
    ("AdamW", {}),
    ("Adamax", {"eps": 1e-2}),
    ("NAdam", {"eps": 1e-2}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adagrad", {"eps": 1e-2, "initial_accumulator_value": 0.125}),
    ("Adadelta", {}),
    ("RMSprop", {"eps": 1e-2}),
    ("RMSprop", {"momentum": 0.9, "centered": True}),
]
"""Classes of ``torch.optim`` with what a user gives them."""

PORTS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1, "momentum": 0.5, "clipnorm": 0.1}),
    ("Adam", {"weight_decay": 0.25, "clipvalue": 0.125}),
    ("Ftrl", {"l1": 0.5, "l2": 0.25, "l2_shrinkage": 0.5, "beta": 0.5, "lr_power": -0.75}),
    ("Lion", {"betas": (0.5, 0.25)}),
    ("RMSprop", {"rho": 0.5, "momentum": 0.5, "centered": True}),
]
"""Classes of ``torch_impl.optim``."""


def difference(optimizer: Any, weight: torch.Tensor, of_keras: bool) -> float:
    """Largest absolute difference between the optimizer's weight and the rule's after ten steps."""
    gradients, group = gradient_sequence(), optimizer.param_groups[0]
    group |= {name: rounded(value) for name, value in group.items() if name != "params"}
    with default_dtype(torch.float64):  # that of NAdam's product
        for gradient in gradients:
            weight.grad = torch.from_numpy(gradient.copy())
            optimizer.step()
    group = {name: one for name, one in group.items() if name != "params"}
    settings = of_torch(type(optimizer).__name__, group, of_keras)
    assert settings is not None
    steps = [StepInput(gradient, 0.0, (0.0, 0.0)) for gradient in gradients]
    expected = weight_after(settings, np.ones(SHAPE), steps)
    assert (expected != 1).any()
    return float(abs(weight.detach().numpy() - expected).max())


@pytest.mark.parametrize(("name", "options"), GROUPS, ids=str)
def test_the_rule_gives_the_weights_of_torch_optim(name: str, options: dict[str, Any]) -> None:
    """Ten steps in float64, with the options as the parameter group has them."""
    weight = torch.ones(SHAPE, dtype=torch.float64, requires_grad=True)
    optimizer = getattr(torch.optim, name)([weight], **options)
    assert difference(optimizer, weight, of_keras=False) <= tolerance.FLOAT64["step"].limit


@pytest.mark.parametrize(("name", "options"), PORTS, ids=str)
def test_the_rule_gives_the_weights_of_keras_optimizers_in_pytorch(
    name: str, options: dict[str, Any]
) -> None:
    """The same for this project's classes, which compute Keras's rule."""
    weight = torch.ones(SHAPE, dtype=torch.float64, requires_grad=True)
    optimizer = getattr(optim, name)([weight], **options)
    assert difference(optimizer, weight, of_keras=True) <= tolerance.FLOAT64["step"].limit


@pytest.mark.parametrize(
    ("name", "options"),
    [("RAdam", {}), ("SGD", {"maximize": True}), ("Adagrad", {"lr_decay": 0.1})],
)
def test_what_no_rule_computes_has_no_settings(name: str, options: dict[str, Any]) -> None:
    """Another class, or an option that changes the rule itself."""
    assert of_torch(name, options, of_keras=False) is None
    assert of_either(None) is None
