"""Models of ``keras.applications`` against PyTorch definitions from the papers' tables."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from torch import nn

from parity.pairs.check import check
from parity_tests.real_pairs.mobilenet_v2 import ConvNorm, MobileNetV2
from parity_tests.real_pairs.pairs import applications
from parity_tests.support.selection import first_of_each

pytestmark = pytest.mark.flavour

NAMES = ("MobileNetV2", "ResNet50")


@pytest.mark.full("keras3")
@pytest.mark.parametrize("name", first_of_each([(name,) for name in NAMES], lambda _: "same"))
def test_the_definitions_are_the_same(name: str, keras: Any) -> None:
    """The verdict is SAME, and every layer with weights is compared."""
    pair = applications(keras)[name]
    model = pair.keras()
    report = check(model, pair.torch(), pair.inputs)
    assert report.verdict == "same", str(report)
    compared = {one.keras.split(" (")[0] for one in report.compared}
    assert {layer.name for layer in model.layers if layer.weights} <= compared
    assert report.latent == ()


@pytest.mark.full("keras3")
def test_the_usual_port_is_told_what_it_lacks(keras: Any) -> None:
    """With PyTorch's defaults, each of 52 norms and 5 padded convolutions is named."""
    module = MobileNetV2(10)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps, part.momentum = 1e-5, 0.1
        elif isinstance(part, ConvNorm) and part.sides == (0, 1, 0, 1):
            part.sides = (1, 1, 1, 1)
    pair = applications(keras)["MobileNetV2"]
    report = check(pair.keras(), module, pair.inputs)
    assert Counter(cause.id for cause in report.causes) == {
        "batch_norm.epsilon": 52,
        "conv.same_padding": 5,
    }
    assert Counter(cause.id for cause in report.latent) == {"batch_norm.momentum": 52}
    assert all(one.proof and one.proof.after <= 1e-12 for one in report.causes)
