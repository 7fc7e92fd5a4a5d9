"""Settings of optimizers that do not show in a user's own pair, and where they would."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from parity.pairs.causes import latent
from parity_tests.pairs.training.mlp import trained
from torch_impl import optim

pytestmark = pytest.mark.flavour

O = torch.optim  # noqa: E741

LATENT: dict[str, tuple[Callable[[Any], Any], Callable[..., Any], str]] = {
    "sgd.momentum": (lambda o: o.SGD(0.1, momentum=0.9), partial(O.SGD, lr=0.1), "steps"),
    "adam.beta_1": (lambda o: o.Adam(), partial(optim.Adam, betas=(0.8, 0.999)), "steps"),
    "optimizer.clipnorm": (lambda o: o.SGD(0.1, clipnorm=100.0), partial(O.SGD, lr=0.1), "step"),
}
"""Optimizers that part in a setting that one step does not show, and where it can first."""


@pytest.mark.parametrize("name", LATENT)
def test_a_setting_that_does_not_show_says_where_it_can(name: str, keras: Any) -> None:
    """Some show from the second step on alone; none has a proof."""
    own, other, rung = LATENT[name]
    report = trained(keras, optimizer=(own(keras.optimizers), other), steps=1)
    assert report.verdict == "same", str(report)
    assert [(one.id, one.rung, one.proof) for one in report.latent] == [(name, rung, None)]


def test_constants_that_keras_rounds_are_not_latent(
    keras: Any, flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.96 in PyTorch's NAdam is Keras's once rounded; if that did not count, it would be told."""
    nadam = partial(O.NAdam, lr=1e-3, eps=1e-7, momentum_decay=1.0)
    pair = keras.optimizers.Nadam(), nadam
    assert trained(keras, optimizer=pair, steps=1).latent == ()
    monkeypatch.setattr(latent, "alike", operator.eq)
    told = trained(keras, optimizer=pair, steps=1).latent
    hidden = flavour == "tf_keras"  # Keras 3 rounds it in one place of two, which shows
    assert [one.id for one in told] == ["nadam.momentum_decay"] * hidden
