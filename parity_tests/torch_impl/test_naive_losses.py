"""PyTorch's usual losses differ from Keras's as documented."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity_tests.support.loss_rows import (
    D,
    N,
    assert_same,
    in_keras,
    in_torch,
    outputs_of,
    softmax,
    targets_of,
    upstream_of,
)

pytestmark = pytest.mark.flavour


def naive(kind: str, outputs: Any, target: Any) -> Any:
    """The loss that most ports use."""
    import torch
    from torch.nn import functional as F

    weights = torch.arange(1.0, D + 1, dtype=outputs.dtype)
    ports = {
        "sparse": lambda: F.nll_loss(outputs.log(), target),
        "binary": lambda: F.binary_cross_entropy(outputs, target),
        "divergence": lambda: F.kl_div(outputs.log(), target, reduction="none").mean(),
        "log_cosh": lambda: (outputs - target + F.softplus(2 * (target - outputs))).mean() - LN_2,
        "huber": lambda: F.huber_loss(outputs, target, delta=0.3),
        "weighted": lambda: F.cross_entropy(outputs, target, weights),
        "many_hot": lambda: F.cross_entropy(outputs, target),
        "hinge": lambda: (1 - target * outputs).relu().mean(),
    }
    return ports[kind]()


LN_2 = float(np.log(2))
EXTREME = softmax(outputs_of("any", 20.0))

NAIVE: list[tuple[str, str, dict[str, Any], np.ndarray, str, float, float]] = [
    ("sparse", "SparseCategoricalCrossentropy", {}, EXTREME, "labels", 5.0, 1.0),
    ("binary", "BinaryCrossentropy", {}, np.round(EXTREME), "binary", 20.0, 1.0),
    ("divergence", "KLDivergence", {}, outputs_of("softmax"), "soft", 0.5, 0.1),
    ("log_cosh", "LogCosh", {}, 0 * EXTREME - 10.5, "any", 1e-9, 1e-12),
    ("huber", "Huber", {"delta": 0.3}, outputs_of("any"), "any", 1e-8, 5e-11),
    (
        "weighted",
        "SparseCategoricalCrossentropy",
        {"from_logits": True, "class_weight": range(1, D + 1)},
        outputs_of("any"),
        "labels",
        4.0,
        0.1,
    ),
    (
        "many_hot",
        "CategoricalCrossentropy",
        {"from_logits": True},
        outputs_of("any"),
        "binary",
        0.0,
        0.01,
    ),
    ("hinge", "Hinge", {}, np.ones((N, D)), "signs", 0.0, 0.007),
]
"""Name of the port, class, arguments, outputs, target; relative error of value and gradient."""


@pytest.mark.parametrize("row", NAIVE, ids=lambda row: row[0])
def test_naive_ports_are_seen(
    row: tuple[str, str, dict[str, Any], np.ndarray, str, float, float],
    keras_backend: Backend,
    flavour: str,
) -> None:
    """PyTorch's losses differ as the docstrings state, so the comparison can fail."""
    import torch

    port, kind, given, outputs, target_kind, value, gradient = row
    if (port, flavour) == ("huber", "keras3"):
        pytest.skip("Keras 3 does not round delta")
    target = targets_of(target_kind)
    weight = None
    plain = {name: given[name] for name in given if name != "class_weight"}
    if "class_weight" in given:
        weight = np.asarray(given["class_weight"], dtype=float)[target]
    k = in_keras(kind, plain, outputs, target, weight)
    assert_same(in_torch(kind, given, outputs, target, flavour=flavour), k)
    x = torch.from_numpy(outputs.copy()).requires_grad_()
    found = naive(port, x, torch.from_numpy(target))
    (found * float(upstream_of(()))).backward()
    assert x.grad is not None
    port_found = found.detach().numpy(), x.grad.numpy()
    away = [abs(t - expected).max() for t, expected in zip(port_found, k, strict=True)]
    assert away[0] >= value
    assert away[1] >= gradient
    with pytest.raises(AssertionError):
        assert_same(port_found, k)
