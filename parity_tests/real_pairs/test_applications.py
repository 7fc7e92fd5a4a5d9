"""Models that Keras ships against PyTorch definitions from the papers' tables."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from torch import nn

from parity.pairs.check import check
from parity_tests.pairs.models import fill
from parity_tests.real_pairs.mobilenet_v2 import ConvNorm, MobileNetV2
from parity_tests.real_pairs.resnet50 import ResNet50

pytestmark = pytest.mark.flavour

PAIRS: dict[str, Any] = {"MobileNetV2": MobileNetV2, "ResNet50": ResNet50}
SIZE = 64


def built(keras: Any, name: str) -> Any:
    """Keras's model with random weights."""
    made = getattr(keras.applications, name)(weights=None, input_shape=(SIZE, SIZE, 3), classes=10)
    return fill(made, 0.05)


def images() -> np.ndarray:
    """Two."""
    return np.random.default_rng(1).normal(size=(2, SIZE, SIZE, 3))


@pytest.mark.parametrize("name", PAIRS)
def test_the_definitions_are_the_same(name: str, keras: Any) -> None:
    """Every layer that has weights is compared."""
    report = check(built(keras, name), PAIRS[name](10), images())
    assert report.verdict == "same", str(report)
    weighty = sum(bool(layer.weights) for layer in built(keras, name).layers)
    assert len(report.compared) >= weighty
    assert report.latent == ()


def test_the_usual_port_is_told_what_it_lacks(keras: Any) -> None:
    """PyTorch's own constants and its padding: each of 52 norms and 5 convolutions is named."""
    module = MobileNetV2(10)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps, part.momentum = 1e-5, 0.1
        elif isinstance(part, ConvNorm) and part.sides == (0, 1, 0, 1):
            part.sides = (1, 1, 1, 1)
    report = check(built(keras, "MobileNetV2"), module, images())
    assert Counter(cause.id for cause in report.causes) == {
        "batch_norm.epsilon": 52,
        "conv.same_padding": 5,
    }
    assert Counter(cause.id for cause in report.latent) == {"batch_norm.momentum": 52}
    assert all(one.proof and one.proof.after <= 1e-12 for one in report.causes)
