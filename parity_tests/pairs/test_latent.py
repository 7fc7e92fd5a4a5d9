"""Settings of optimizers that do not show in a user's own pair, and where they would."""

from __future__ import annotations

import operator
from typing import Any

import pytest
import torch

from parity.pairs.causes import latent
from parity_tests.pairs.faults.training_faults import Rules, rules_of
from parity_tests.pairs.training.test_training import trained
from torch_impl import optim

pytestmark = pytest.mark.flavour

O = torch.optim  # noqa: E741

LATENT: dict[str, tuple[Rules, str]] = {
    "sgd.momentum": (rules_of(lambda o: o.SGD(0.1, momentum=0.9), O.SGD, lr=0.1), "steps"),
    "adam.beta_1": (rules_of(lambda o: o.Adam(), optim.Adam, betas=(0.8, 0.999)), "steps"),
    "optimizer.clipnorm": (rules_of(lambda o: o.SGD(0.1, clipnorm=100.0), O.SGD, lr=0.1), "step"),
}
"""Optimizers that part in a setting that one step does not show, and where it can first."""


@pytest.mark.parametrize("name", LATENT)
def test_a_setting_that_does_not_show_says_where_it_can(name: str, keras: Any) -> None:
    """Some show from the second step on alone; none has a proof."""
    rules, rung = LATENT[name]
    report = trained(keras, "momentum", optimizer=rules(keras), steps=1)
    assert report.verdict == "same", str(report)
    assert [(one.id, one.rung, one.proof) for one in report.latent] == [(name, rung, None)]


def test_constants_that_keras_rounds_are_not_latent(
    keras: Any, flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.96 in PyTorch's NAdam is Keras's once rounded; if that did not count, it would be told."""
    given = {"lr": 1e-3, "eps": 1e-7, "momentum_decay": 1.0}
    rules = rules_of(lambda o: o.Nadam(), O.NAdam, **given)(keras)
    assert trained(keras, "momentum", optimizer=rules, steps=1).latent == ()
    monkeypatch.setattr(latent, "alike", operator.eq)
    told = trained(keras, "momentum", optimizer=rules, steps=1).latent
    hidden = flavour == "tf_keras"  # Keras 3 rounds it in one place of two, which shows
    assert [one.id for one in told] == ["nadam.momentum_decay"] * hidden
