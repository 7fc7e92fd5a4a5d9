"""Pairs that magnify rounding: norms over two values, and Adam; faithful ones, and faulty ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.pairs import rounding
from parity.pairs.check import check
from parity.report.report import Report
from parity_tests.pairs.zoo.models import fill
from torch_impl import optim

pytestmark = pytest.mark.flavour


class Cut(nn.Module):
    """Lets no gradient through."""

    def forward(self, x: Tensor) -> Tensor:
        """The same numbers."""
        return x.detach()


def checked(keras: Any, between: nn.Module, spread: float, optimizer: Any = None) -> Report:
    """A pair of two norms over two values each, with a module of PyTorch's between them."""
    layers = keras.layers
    made, parts, channels = [keras.Input((1, 1, 6))], [], 6
    for number in range(2):
        made += [layers.Conv2D(32, 1), layers.BatchNormalization(epsilon=1e-5, momentum=1.0)]
        made += [layers.Activation("tanh", name=f"bent_{number}")]
        parts += [nn.Conv2d(channels, 32, 1), nn.BatchNorm2d(32, momentum=0.0), nn.Tanh()]
        parts += [] if number else [between]
        channels = 32
    model = keras.Sequential([*made, layers.Flatten(), layers.Dense(3)])
    rng = np.random.default_rng(0)
    return check(
        fill(model, spread),
        nn.Sequential(*parts, nn.Flatten(), nn.Linear(32, 3)),
        rng.normal(size=(2, 1, 1, 6)),
        targets=rng.integers(0, 3, 2),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=optimizer,
        float32=False,
    )


@pytest.mark.parametrize("allowed", [True, False])
def test_a_cause_of_gradients_may_leave_what_rounding_does(
    allowed: bool, keras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left once gradients pass again is rounding; were it not, nothing would be named."""
    if not allowed:
        monkeypatch.setattr(rounding, "gradient_effects", lambda *_: {})
    assert (checked(keras, nn.Identity(), 4.0).verdict == "same") == allowed
    report = checked(keras, Cut(), 4.0)
    assert [one.id for one in report.causes] == ["gradient.detached" if allowed else "unknown"]


class Longer(optim.Adam):
    """Goes a little farther than Adam does, by less than rounding may explain."""

    def step(self, closure: Any = None) -> None:
        """By a billionth."""
        params = self.param_groups[0]["params"]
        before = [one.detach().clone() for one in params]
        super().step(closure)
        with torch.no_grad():
            for one, old in zip(params, before, strict=True):
                one += (one - old) * 1e-9


@pytest.mark.parametrize("rule", [optim.Adam, Longer])
def test_steps_may_differ_by_what_rounding_does_to_gradients(
    rule: Callable[..., Any], keras: Any
) -> None:
    """More than the limit, and no more than gradients explain.

    An optimizer that moves otherwise by the same gradients is none of it, as small as that is.
    """
    rules = keras.optimizers.Adam(0.1), lambda params: rule(params, lr=0.1)
    report = checked(keras, nn.Identity(), 0.4, rules)
    faithful = rule is optim.Adam
    assert (report.verdict == "same") == faithful, str(report)
    assert any("amplifies rounding errors" in note for note in report.notes) == faithful
