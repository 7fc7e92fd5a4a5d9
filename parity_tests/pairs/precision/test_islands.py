"""What Keras code computes in float32 by itself, and layers that are not what they seem."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from parity.pairs.align.unowned_parameters import partners
from parity.pairs.check import check
from parity.pairs.forward.float32_islands import ID
from parity_tests.pairs.zoo.models import fill

pytestmark = pytest.mark.flavour

X = np.random.default_rng(0).normal(size=(4, 5))


class Between(nn.Module):
    """Two linear layers, and a function between them."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 6), nn.Linear(6, 3)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.function(self.first(x)))


def between(keras: Any, function: Any) -> Any:
    """Its like in Keras: a subclassed layer calls the function."""

    class Own(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return function(x)

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    def build() -> Any:
        layers = keras.layers
        return fill(keras.Sequential([layers.Input((5,)), layers.Dense(6), Own(), layers.Dense(3)]))

    return build


def constant(x: Any) -> Any:
    """A root as much TensorFlow code writes it."""
    import tensorflow as tf

    return x / tf.cast(tf.sqrt(2.0), x.dtype)


def attention(x: Any) -> Any:
    """In float32 whatever it is given."""
    import tensorflow as tf

    return tf.cast(tf.nn.softmax(tf.cast(x, tf.float32) * 0.3), x.dtype)


def silu(x: Any) -> Any:
    """In float32, of a function that has a gradient of its own in TensorFlow."""
    import tensorflow as tf

    return tf.cast(tf.nn.silu(tf.cast(x, tf.float32)), x.dtype)


PAIRS = {
    "constant": (constant, lambda x: x / math.sqrt(2.0)),
    "softmax": (attention, lambda x: (x * 0.3).softmax(-1)),
    "a gradient of its own": (silu, torch.nn.functional.silu),
}
"""What TensorFlow code does, and what PyTorch's does."""


@pytest.mark.parametrize("name", PAIRS)
def test_float32_within_float64_is_no_fault(name: str, keras: Any) -> None:
    """With that in float64 nothing is left, and the report says how much it was."""
    own, other = PAIRS[name]
    report = check(between(keras, own), Between(other), X)
    assert report.verdict == "same", str(report)
    assert [note.split(":")[0] for note in report.notes] == [ID]
    assert max(one.observed for one in report.compared) <= 1e-12


def test_another_constant_is_a_fault(keras: Any) -> None:
    """Rounding to float32 does not excuse what is farther off."""
    report = check(between(keras, constant), Between(lambda x: x / 1.41421), X)
    assert report.verdict == "different"
    assert report.first_divergence is not None
    assert report.first_divergence.torch_module == "second"


def test_as_many_groups_as_channels_are_a_depthwise_convolution(keras: Any) -> None:
    """Keras writes it as a convolution with groups, PyTorch has no other way."""
    layers = keras.layers
    model = fill(
        keras.Sequential(
            [layers.Input((6, 6, 4)), layers.Conv2D(8, 3, groups=4), layers.Conv2D(2, 1)]
        )
    )
    module = nn.Sequential(nn.Conv2d(4, 8, 3, groups=4), nn.Conv2d(8, 2, 1))
    x = np.random.default_rng(1).normal(size=(2, 6, 6, 4))
    trained = {"targets": np.ones((2, 4, 4, 2)), "loss": "mse", "optimizer": "sgd", "steps": 2}
    report = check(model, module, x, **trained)
    assert report.verdict == "same", str(report)
    assert report.notes == ()


class ChannelsFirst(nn.LayerNorm):
    """A norm over the second axis."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def test_a_module_that_computes_otherwise_than_its_class_is_looked_into(keras: Any) -> None:
    """A layer norm that turns its input is one over the channels."""
    layers = keras.layers
    model = fill(
        keras.Sequential(
            [
                layers.Input((6, 6, 3)),
                layers.Conv2D(4, 3),
                layers.LayerNormalization(epsilon=1e-5),
                layers.Conv2D(2, 1),
            ]
        )
    )
    module = nn.Sequential(nn.Conv2d(3, 4, 3), ChannelsFirst(4), nn.Conv2d(4, 2, 1))
    report = check(model, module, np.random.default_rng(1).normal(size=(2, 6, 6, 3)))
    assert report.verdict == "same", str(report)


def test_a_normalised_kernel_is_carried_over(keras: Any) -> None:
    """PyTorch's weight is made of a length and a direction; it comes to Keras's kernel."""
    model = fill(keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(3)]))
    module = nn.utils.parametrizations.weight_norm(nn.Linear(5, 3))
    report = check(model, module, X)
    assert report.verdict == "same", str(report)


def test_loose_parameters_are_matched_by_words_in_order() -> None:
    """Numbers that both names have somewhere do not say which block it is."""
    table = np.zeros(2)
    own = {f"m/layers.{a}/blocks.{b}/table:0": table for a in (0, 1) for b in (0, 1)}
    other = {f"layers.{a}.blocks.{b}.table": table for a in (0, 1) for b in (0, 1)}
    assert partners(own, other) == list(zip(own, other, strict=True))
