"""Layers that we wrote ourselves, against the framework's own wherever it has one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from parity.adapters.backend import Backend
from parity.numerics import tolerance
from parity.specs.cnn import CnnSpec, same_padding
from parity.specs.feed_forward import ACTIVATIONS
from parity.specs.rnn import RnnSpec
from parity.specs.softmax import SoftmaxSpec
from torch_impl.parts import layers
from torch_impl.parts.layers import BatchNorm2d, Flatten, SameConv2d, SharedDropout

EXACT = tolerance.FLOAT64["forward_eval"].limit
FLOOR = tolerance.ROUNDING_MAX


def images(dtype: str = "float64", count: int = 6) -> np.ndarray:
    """Images (N, 5, 4, 3) of channels with different means and spreads."""
    rng = np.random.default_rng(0)
    return (rng.standard_normal((count, 5, 4, 3)) * [0.1, 1, 3] + [0, 2, -1]).astype(dtype)


def away(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference relative to the largest entry."""
    return float(abs(a - b).max() / abs(a).max())


@pytest.mark.parametrize(
    ("size", "kernel", "stride"),
    list(itertools.product((7, 8, 9), (1, 3, 4, 5), (1, 2, 3))),
)
def test_same_convolution_is_that_of_tensorflow(
    size: int, kernel: int, stride: int, keras_backend: Backend
) -> None:
    """Odd and even sizes, kernels and strides, against ``tf.nn.conv2d``."""
    from keras_impl.framework import tf

    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, size, size + 1, 3)), rng.standard_normal((kernel, kernel, 3, 4))
    expected = tf.nn.conv2d(x, w, stride, "SAME").numpy()
    conv = SameConv2d(3, 4, kernel, stride=stride, bias=False, dtype=torch.float64)
    conv.weight.data = torch.from_numpy(w).permute(3, 2, 0, 1)
    found = conv(torch.from_numpy(x).permute(0, 3, 1, 2)).detach().permute(0, 2, 3, 1).numpy()
    assert found.shape == expected.shape
    assert away(expected, found) <= EXACT
    before, after = same_padding(size, kernel, stride)
    assert after - before in (0, 1)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.2, 0.5, 0.9])
@pytest.mark.flavour
def test_dropout_scales_as_the_frameworks_own(rate: float, keras_backend: Backend) -> None:
    """Kept entries are multiplied by the same float32 as in either framework."""
    from keras_impl.framework import keras, set_dtype, tf
    from keras_impl.parts.layers import SharedDropout as KerasDropout

    set_dtype("float32")
    x = np.random.default_rng(0).standard_normal((50, 40)).astype(np.float32)
    native = keras.layers.Dropout(rate, seed=0)(x, training=True).numpy()
    keep = native != 0
    ours = KerasDropout(rate, name="d")(tf.constant(x), tf.constant(keep), training=True).numpy()
    assert np.array_equal(native, ours)
    torch.manual_seed(0)
    native = torch.nn.functional.dropout(torch.from_numpy(x), rate, training=True)
    ours = SharedDropout(rate).train()(torch.from_numpy(x), native != 0)
    assert torch.equal(native, ours)


@pytest.mark.parametrize("spatial", [False, True])
@pytest.mark.flavour
def test_dropout_without_a_mask_draws_its_own(spatial: bool, keras_backend: Backend) -> None:
    """About half of the entries, or of the channels as a whole, are dropped in training alone."""
    from keras_impl.framework import set_dtype, tf
    from keras_impl.parts.layers import SharedDropout as KerasDropout

    set_dtype("float32")
    x = np.ones((50, 4, 4, 40), np.float32)
    ours = KerasDropout(0.5, "d", spatial)
    drawn = [ours(tf.constant(x), training=True).numpy()]
    assert np.array_equal(ours(tf.constant(x), training=False), x)
    twin = SharedDropout(0.5, spatial)
    drawn.append(twin.train()(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy())
    assert np.array_equal(twin.eval()(torch.from_numpy(x)), x)
    for one in drawn:
        assert set(np.unique(one)) == {0.0, 2.0}
        assert 0.9 < one.mean() < 1.1
        assert (one == one[:, :1, :1]).all() == spatial


def normed(norm: torch.nn.Module, x: np.ndarray) -> dict[str, np.ndarray]:
    """Output, input gradient and buffers after one training step of a batch norm."""
    norm = norm.to(torch.from_numpy(x).dtype).train()
    leaf = torch.from_numpy(x).permute(0, 3, 1, 2).clone().requires_grad_()
    y = norm(leaf)
    (y**3).sum().backward()
    return {
        "output": y.detach().numpy(),
        "gradient": leaf.grad.numpy(),
        "mean": norm.running_mean.numpy(),
        "variance": norm.running_var.numpy(),
    }


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_batch_norm_is_that_of_torch(dtype: str) -> None:
    """Fed the unbiased variance it is ``nn.BatchNorm2d``, gradient and buffers included."""
    x = images(dtype)
    ours = normed(BatchNorm2d(3, eps=1e-3, momentum=0.01, unbiased=True), x)
    theirs = normed(torch.nn.BatchNorm2d(3, eps=1e-3, momentum=0.01), x)
    for name in theirs:
        assert away(theirs[name], ours[name]) <= (EXACT if dtype == "float64" else FLOOR), name


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_biased_running_variance_lacks_bessel(dtype: str) -> None:
    """Without Bessel's correction the fed variance is smaller by (n − 1)/n."""
    x = images(dtype)
    count = x.size // 3
    fed = {}
    for unbiased in (False, True):
        norm = BatchNorm2d(3, eps=1e-3, momentum=1.0, unbiased=unbiased)
        fed[unbiased] = normed(norm, x)["variance"]
    limit = EXACT if dtype == "float64" else FLOOR
    assert away(fed[True] * (count - 1) / count, fed[False]) <= limit
    assert away(x.reshape(-1, 3).var(0), fed[False]) <= limit


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_batch_norm_takes_a_single_value(dtype: str) -> None:
    """One value per channel gives β and a variance of zero, where PyTorch's own raises."""
    x = np.ones((1, 1, 1, 3), dtype)
    found = normed(BatchNorm2d(3, eps=1e-3, momentum=1.0, unbiased=True), x)
    assert not found["output"].any()
    assert not found["variance"].any()


@pytest.mark.flavour
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_keras_running_variance_follows_its_float32(
    dtype: str, flavour: str, keras_backend: Backend
) -> None:
    """Keras 2 feeds the unbiased variance, Keras 3 the biased one, in either dtype."""
    from keras_impl.framework import set_dtype, tf
    from keras_impl.parts.layers import batch_norm

    set_dtype(dtype)
    spec = CnnSpec(input_shape=(5, 4, 3), classes=2, channels=(3,), batch_norm_momentum=0.0)
    norm = batch_norm(spec, 1)
    x = images(dtype)
    norm(tf.constant(x), training=True)
    unbiased = x.astype(np.float64).reshape(-1, 3).var(0, ddof=1 if flavour == "tf_keras" else 0)
    # TensorFlow's fused kernel computes variances to three digits or so in float32
    limit = EXACT if dtype == "float64" else 0.1 / (x.size // 3)
    assert away(unbiased, norm.moving_variance.numpy()) <= limit


@pytest.mark.flavour
def test_keras_float64_path_would_part(flavour: str, keras_backend: Backend) -> None:
    """Left alone, Keras 2's float64 path feeds the biased variance: the reason for our layer."""
    from keras_impl.framework import keras, set_dtype, tf

    set_dtype("float64")
    norm = keras.layers.BatchNormalization(momentum=0.0)
    x = images()
    norm(tf.constant(x), training=True)
    assert away(x.reshape(-1, 3).var(0), norm.moving_variance.numpy()) <= EXACT


def both_ways(layer: torch.nn.Module, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A torch layer's output and its gradient with respect to x, both channels last as x is."""
    turned = (0, 3, 1, 2) if x.ndim == 4 else tuple(range(x.ndim))
    leaf = torch.from_numpy(x).permute(turned).clone().requires_grad_()
    y = layer.to(leaf.dtype)(leaf)
    (y**3).sum().backward()
    back = (0, 2, 3, 1) if x.ndim == 4 else tuple(range(x.ndim))
    return y.detach().permute(back).numpy(), leaf.grad.permute(back).numpy()


def keras_both_ways(layer: object, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same of a Keras layer."""
    from keras_impl.framework import tf

    with tf.GradientTape() as tape:
        leaf = tf.constant(x)
        tape.watch(leaf)
        y = layer(leaf)
        total = tf.reduce_sum(y**3)
    return y.numpy(), tape.gradient(total, leaf).numpy()


@pytest.mark.flavour
@pytest.mark.parametrize("size", [(7, 8), (8, 7), (1, 1), (1, 2), (5, 5)], ids=str)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("pool", ["max", "average"])
def test_pools_are_those_of_tensorflow(
    pool: str, padding: str, size: tuple[int, int], keras_backend: Backend
) -> None:
    """Odd and even sizes; negative inputs, which padding by zeros would beat, and ties."""
    from keras_impl.framework import set_dtype
    from keras_impl.parts.layers import pool as keras_pool

    if padding == "valid" and min(size) < 2:
        pytest.skip("nothing is left")
    set_dtype("float64")
    spec = CnnSpec(input_shape=(8, 8, 2), classes=2, pool=pool, pool_padding=padding)
    x = np.random.default_rng(0).integers(-5, -1, (3, *size, 2)).astype(np.float64)
    expected = keras_both_ways(keras_pool(spec, 1), x)
    found = both_ways(layers.pool(spec), x)
    for theirs, ours in zip(expected, found, strict=True):
        assert theirs.shape == ours.shape
        assert away(theirs, ours) <= EXACT


@pytest.mark.flavour
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_have_the_constants_of_keras(name: str, keras_backend: Backend) -> None:
    """From deep in the negative tail to the other, zero included, gradient as well."""
    from keras_impl.framework import set_dtype
    from keras_impl.parts.layers import activation

    set_dtype("float64")
    spec = SoftmaxSpec(input_shape=(8,), classes=2, activation=name, negative_slope=0.3)
    x = np.linspace(-12, 12, 97).reshape(1, 97)
    expected = keras_both_ways(activation(spec, "activation"), x)
    found = both_ways(layers.activation(spec), x)
    for theirs, ours in zip(expected, found, strict=True):
        assert away(theirs, ours) <= EXACT


def test_constants_in_full_would_part() -> None:
    """PyTorch's own GELU and an unrounded slope leave more than rounding: the reason for ours."""
    x = np.linspace(-3, 3, 97).reshape(1, 97)
    for name, own in (("gelu", torch.nn.GELU()), ("leaky_relu", torch.nn.LeakyReLU(0.3))):
        spec = SoftmaxSpec(input_shape=(8,), classes=2, activation=name, negative_slope=0.3)
        ours, theirs = both_ways(layers.activation(spec), x)[0], both_ways(own, x)[0]
        assert EXACT < away(theirs, ours) < 1e-6


@pytest.mark.flavour
def test_layer_norm_is_that_of_keras(keras_backend: Backend) -> None:
    """Over the last axis, at a variance next to which ε counts."""
    from keras_impl.framework import set_dtype
    from keras_impl.parts.layers import layer_norm

    set_dtype("float64")
    spec = SoftmaxSpec(input_shape=(8,), classes=2, layer_norm=True, layer_norm_epsilon=0.1)
    x = np.random.default_rng(0).standard_normal((6, 9)) * np.logspace(-2, 1, 6)[:, None] + 1
    expected = keras_both_ways(layer_norm(spec, 1), x)
    found = both_ways(layers.layer_norm(spec, 9), x)
    for theirs, ours in zip(expected, found, strict=True):
        assert away(theirs, ours) <= EXACT


def test_flatten_keeps_the_channels_together() -> None:
    """In the order H, W, C, as NumPy flattens an image whose channels are last."""
    x = images()
    found = Flatten()(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    assert np.array_equal(found, x.reshape(len(x), -1))


@pytest.mark.flavour
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("tokens", [2, 17, 256])
def test_tokens_are_the_same_numbers(tokens: int, dtype: str, keras_backend: Backend) -> None:
    """Levels of the data, halves between two tokens, and values out of range, in either dtype."""
    from keras_impl.framework import set_dtype, tf
    from keras_impl.parts.layers import TokenEmbedding

    set_dtype(dtype)
    spec = RnnSpec(input_shape=(9, 1), classes=2, tokens=tokens, embedding=3)
    grid = [np.arange(k + 1) / k for k in (16, 255, 2 * (tokens - 1))]
    x = np.concatenate([*grid, [-0.5, 1.5]]).astype(np.float32)
    table = np.arange(3 * tokens, dtype=dtype).reshape(tokens, 3)
    theirs, ours = TokenEmbedding(spec, name="embedding"), layers.TokenEmbedding(spec)
    fed = x.astype(dtype).reshape(1, -1, 1)
    theirs(tf.constant(fed))
    theirs.embeddings.assign(table)
    ours.weight.data = torch.from_numpy(table)
    expected = table[np.rint(x * np.float32(tokens - 1)).clip(0, tokens - 1).astype(int)]
    assert np.array_equal(theirs(tf.constant(fed)).numpy()[0], expected)
    assert np.array_equal(ours(torch.from_numpy(fed)).detach().numpy()[0], expected)
    assert set(expected[:, 0]) == set(table[:, 0]) or tokens > 17
