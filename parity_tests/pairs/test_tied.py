"""An embedding whose weight is also that of the output layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.pairs.check import check
from parity_tests.pairs.zoo.building import filled

pytestmark = pytest.mark.flavour
IDS = np.random.default_rng(0).integers(0, 9, (3, 5))


class Tied(nn.Module):
    """Tokens, one dense layer, and a score for each token."""

    def __init__(self, linear: bool, activation: Any = torch.tanh) -> None:
        super().__init__()
        self.tokens, self.dense = nn.Embedding(9, 4), nn.Linear(4, 4)
        self.linear, self.activation = linear, activation

    def forward(self, ids: Tensor) -> Tensor:
        """Scores (N, T, 9) of (N, T)."""
        x = self.activation(self.dense(self.tokens(ids)))
        weight = self.tokens.weight
        return F.linear(x, weight) if self.linear else x @ weight.T


def keras_model(keras: Any) -> Any:
    """The same in Keras."""
    import tensorflow as tf

    class Model(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.tokens = keras.layers.Embedding(9, 4, name="tokens")
            self.dense = keras.layers.Dense(4, activation="tanh", name="dense")

        def call(self, ids: Any) -> Any:
            x = self.dense(self.tokens(ids))
            return tf.matmul(x, tf.convert_to_tensor(self.tokens.embeddings), transpose_b=True)

    model = Model()
    model(tf.constant(IDS))
    return filled(model)


@pytest.mark.parametrize("linear", [True, False])
def test_a_tied_weight_is_the_same(linear: bool, keras: Any) -> None:
    """The weight is copied once, whatever function uses it again; a fault is still found."""
    assert check(keras_model(keras), Tied(linear), IDS).verdict == "same"
    faulty = check(keras_model(keras), Tied(linear, torch.relu), IDS)
    assert faulty.verdict == "different"
    assert {one.id for one in faulty.causes} == {"activation.function"}
