"""A harmless difference is not blamed, and a fault beside it still is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.pairs.check import check
from parity_tests.pairs.transfer.ports import Net
from parity_tests.pairs.zoo.models import fill

pytestmark = pytest.mark.flavour

ROWS = np.random.default_rng(5).normal(size=(4, 7))
STEPS = np.random.default_rng(6).normal(size=(4, 5, 6))
MAPS = np.random.default_rng(7).normal(size=(2, 6, 6, 3))


def gated(keras: Any) -> Any:
    """A swish beside a slope that Keras rounds to float32."""
    layers = keras.layers
    x = keras.Input((7,))
    wide = layers.Dense(6, activation="swish", name="wide")(x)
    narrow = layers.LeakyReLU(0.3, name="leaky")(layers.Dense(5, name="narrow")(wide))
    return fill(keras.Model(x, layers.Dense(2)(layers.Concatenate()([narrow, wide]))))


def gated_port(slope: float) -> nn.Module:
    """The swish by hand."""

    def run(net: Any, x: Tensor) -> Tensor:
        y = net.a(x)
        y = y * torch.sigmoid(y)
        return net.c(torch.cat((F.leaky_relu(net.b(y), slope), y), 1))

    return Net(run, a=nn.Linear(7, 6), b=nn.Linear(6, 5), c=nn.Linear(11, 2))


def summed(keras: Any) -> Any:
    """Both directions of a recurrent layer, summed, and a norm."""
    layers = keras.layers
    x = keras.Input((5, 6))
    y = layers.Bidirectional(layers.GRU(3, name="gru"), merge_mode="sum", name="both")(x)
    z = layers.LayerNormalization(epsilon=1e-3, name="norm")(layers.GlobalMaxPooling1D()(x))
    return fill(keras.Model(x, layers.Dense(2)(layers.Concatenate()([y, z]))))


def summed_port(epsilon: float) -> nn.Module:
    """The sum by hand."""

    def run(net: Any, x: Tensor) -> Tensor:
        first, second = net.rnn(x)[1]
        return net.out(torch.cat((first + second, net.norm(x.amax(1))), 1))

    parts = {"norm": nn.LayerNorm(6, eps=epsilon), "out": nn.Linear(9, 2)}
    return Net(run, rnn=nn.GRU(6, 3, batch_first=True, bidirectional=True), **parts)


@pytest.mark.parametrize(
    ("model", "port", "faithful", "faulty", "cause", "x"),
    [
        (gated, gated_port, 0.3, 0.2, "leaky_relu.slope", ROWS),
        (summed, summed_port, 1e-3, 1e-5, "layer_norm.epsilon", STEPS),
    ],
)
def test_what_is_compensated_is_not_a_cause(
    model: Any, port: Any, faithful: float, faulty: float, cause: str, x: Any, keras: Any
) -> None:
    """The faithful port is SAME without a latent difference; of the faulty one the fault alone."""
    report = check(model(keras), lambda: port(faithful), x)
    assert (report.verdict, report.latent) == ("same", ()), str(report)
    report = check(model(keras), lambda: port(faulty), x)
    assert [one.id for one in report.causes] == [cause], str(report)


def test_a_norm_that_is_left_out_is_missing(keras: Any) -> None:
    """The second of two norms of one shape takes the place of the second, not of the first."""
    layers = keras.layers
    x = keras.Input((5, 6))
    first = layers.LayerNormalization(epsilon=1e-4, name="first")(x)
    second = layers.LayerNormalization(epsilon=1e-4, name="second")(layers.Dense(6)(first))
    model = fill(keras.Model(x, layers.Dense(2)(layers.Add()([first, second]))))

    def run(net: Any, x: Tensor) -> Tensor:
        return net.c(x + net.b(net.a(x)))

    port = Net(run, a=nn.Linear(6, 6), b=nn.LayerNorm(6, eps=1e-4), c=nn.Linear(6, 2))
    report = check(model, port, STEPS)
    assert {(one.id, one.layer) for one in report.causes} == {("structure.missing", "first")}
    assert report.first_divergence is not None
    assert report.first_divergence.keras_layer == "first"


def masked(keras: Any) -> Any:
    """Attention by hand over steps of which the last are padding."""
    import tensorflow as tf

    layers = keras.layers
    words = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 8)(words)
    query, key = layers.Dense(8, name="query")(x), layers.Dense(8, name="key")(x)

    def scores(parts: Any) -> Any:
        q, k, ids = parts
        kept = tf.cast(ids > 0, q.dtype)[:, None]
        return tf.matmul(q, k, transpose_b=True) / math.sqrt(8) - (1 - kept) * 1e9

    weights = layers.Softmax(name="weights")(layers.Lambda(scores)([query, key, words]))
    mixed = layers.Lambda(lambda parts: tf.matmul(*parts))([weights, x])
    return fill(keras.Model(words, layers.Dense(2)(mixed)))


@pytest.mark.parametrize("axis", [1, 2])
def test_a_mask_along_the_queries_is_named(axis: int, keras: Any) -> None:
    """Along the keys the port is faithful."""
    words = np.random.default_rng(8).integers(1, 9, (3, 6))
    words[0, 4:] = words[1, 5:] = 0

    def run(net: Any, ids: Tensor) -> Tensor:
        x = net.words(ids)
        scores = net.query(x) @ net.key(x).transpose(1, 2) / math.sqrt(8)
        scores = scores - (ids == 0).unsqueeze(axis).to(x.dtype) * 1e9
        return net.out(torch.softmax(scores, -1) @ x)

    parts = {name: nn.Linear(8, 8) for name in ("query", "key")}
    port = Net(run, words=nn.Embedding(9, 8), out=nn.Linear(8, 2), **parts)
    report = check(masked(keras), port, words)
    assert report.verdict == ("same" if axis == 1 else "different"), str(report)
    assert [one.id for one in report.causes] == ["attention.mask"] * (axis - 1), str(report)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 1, 3, 2), (0, 2, 3, 1), (0, 3, 2, 1)])
def test_an_output_may_have_its_channels_first_and_nothing_else(
    order: tuple[int, ...], keras: Any
) -> None:
    """Channels last is Keras's own layout; height and width may not be exchanged in either."""
    layers = keras.layers
    model = fill(keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(2, 3, padding="same")]))
    port = Net(lambda net, x: net.a(x).permute(order), a=nn.Conv2d(3, 2, 3, padding=1))
    report = check(model, port, MAPS)
    faithful = order in ((0, 1, 2, 3), (0, 2, 3, 1))
    assert report.verdict == ("same" if faithful else "different"), str(report)
    assert [one.id for one in report.causes] == ["structure.axes"] * (not faithful), str(report)


@pytest.mark.parametrize("order", [(0, 3, 2, 1), (0, 3, 1, 2)])
def test_columns_of_a_map_become_steps(order: tuple[int, ...], keras: Any) -> None:
    """Each step has rows and channels, in either order; without the permutation they are others."""
    layers = keras.layers
    x = keras.Input((6, 6, 3))
    y = layers.Permute((2, 1, 3))(layers.Conv2D(4, 3, padding="same")(x))
    model = fill(keras.Model(x, layers.Dense(2)(layers.Reshape((6, 24))(y))))
    parts = {"a": nn.Conv2d(3, 4, 3, padding=1), "b": nn.Linear(24, 2)}
    port = Net(lambda net, x: net.b(net.a(x).permute(order).flatten(2)), **parts)
    report = check(model, port, MAPS)
    assert report.verdict == "same", str(report)
    rows = Net(lambda net, x: net.b(net.a(x).permute(0, 2, 3, 1).flatten(2)), **parts)
    assert check(model, rows, MAPS).verdict == "different"


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_loss_that_is_zero_but_for_rounding(scale: float, keras: Any) -> None:
    """As many examples agree with their target as do not; a fault of the loss still counts."""
    layers = keras.layers
    model = fill(keras.Sequential([keras.Input((7,)), layers.Dense(5, "tanh"), layers.Dense(1)]))
    targets = np.where(np.arange(4) < 2, 1.0, -1.0)[:, None] * np.sign(model(ROWS).numpy())

    def loss(output: Tensor, target: Tensor) -> Tensor:
        return -(F.cosine_similarity(output, target, dim=-1) + scale - 1).mean()

    port = nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 1))
    own = keras.losses.CosineSimilarity()
    report = check(model, port, ROWS, targets=targets, loss=(own, loss))
    assert report.verdict == ("same" if scale == 1 else "different"), str(report)
