"""Noise layers in PyTorch equal Keras's."""

from __future__ import annotations

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity_tests.support.closeness import DTYPES, assert_close, values

pytestmark = pytest.mark.flavour

NOISE: list[tuple[str, float]] = [
    ("GaussianNoise", 0.3),
    ("GaussianNoise", 1.0),
    ("GaussianNoise", 0.0),
    ("GaussianDropout", 0.3),
    ("GaussianDropout", 0.9),
    ("GaussianDropout", 0.0),
    ("AlphaDropout", 0.3),
    ("AlphaDropout", 0.9),
    ("AlphaDropout", 0.0),
]


def drawn(name: str, rate: float, x: np.ndarray) -> np.ndarray:
    """Keras's output in training with the draws of one seed."""
    from keras_impl.framework import keras, tf

    tf.random.set_seed(3)
    layer = getattr(keras.layers, name)(rate, seed=7)
    return layer(tf.constant(x), training=True).numpy()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "rate"), NOISE, ids=str)
def test_noise(name: str, rate: float, dtype: str, keras_backend: Backend, flavour: str) -> None:
    """With Keras's random draws, output and gradient equal those of Keras's layer.

    The numbers are read off Keras's own layers under the same seed: normal ones off what
    ``GaussianNoise(1)`` makes of zeros, a mask off which ones ``AlphaDropout`` leaves positive.
    """
    import torch

    from keras_impl.framework import keras, set_dtype, tf
    from keras_impl.parts import noise as keras_noise
    from torch_impl.nn import noise

    set_dtype(dtype)
    x = values((12, 10), dtype)
    if name == "AlphaDropout":
        given = drawn("AlphaDropout", rate, np.ones_like(x)) > 0
        assert not rate or 0 < given.mean() < 1
    else:
        given = drawn("GaussianNoise", 1.0, np.zeros_like(x))
    tf.random.set_seed(3)
    layer = getattr(keras.layers, name)(rate, seed=7)
    k = tf.Variable(x)
    with tf.GradientTape() as tape:
        expected = layer(k, training=True)
        total = tf.reduce_sum(tf.square(expected))
    shared = getattr(keras_noise, f"Shared{name}")(rate, name="shared")
    assert_close(shared(k, given, training=True).numpy(), expected.numpy())
    module = getattr(noise, name)(rate, flavour=flavour)
    t = torch.from_numpy(x).requires_grad_()
    found = module(t, torch.from_numpy(given))
    assert_close(found.detach().numpy(), expected.numpy())
    found.square().sum().backward()
    assert_close(t.grad.numpy(), tape.gradient(total, k).numpy())
    assert (not rate) == np.array_equal(found.detach().numpy(), x)
    module.eval()
    assert module(t) is t


@pytest.mark.parametrize(("name", "rate"), NOISE, ids=str)
def test_noise_is_drawn_from_the_generator(name: str, rate: float, flavour: str) -> None:
    """The same seed gives the same noise, with the right scale and an unchanged mean."""
    import torch

    from torch_impl.nn import noise

    x = torch.full((200, 200), 0.5)
    runs = [
        getattr(noise, name)(rate, generator=torch.Generator().manual_seed(seed), flavour=flavour)(
            x
        )
        for seed in (1, 1, 2)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not rate or not torch.equal(runs[0], runs[2])
    spread = None
    if name == "GaussianNoise":
        spread = rate
    elif name == "GaussianDropout":
        spread = 0.5 * (rate / (1 - rate)) ** 0.5
    if spread is not None:
        assert abs(runs[0].mean() - 0.5) < 0.02 * max(spread, 1e-6)
        assert abs(runs[0].std() - spread) < 0.02 * max(spread, 1e-6)


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    """Unlike plain dropout, it preserves mean and variance of standard normal numbers."""
    import torch

    from torch_impl.nn.noise import AlphaDropout

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 400, generator=generator)
    found = AlphaDropout(0.3, generator=generator)(x)
    assert abs(found.mean()) < 0.02
    assert abs(found.var() - 1) < 0.02
    rows = AlphaDropout(0.3, (400, 1), generator=generator)(x)
    dropped = (rows == rows[:, :1]).all(1)
    assert 0.2 < dropped.float().mean() < 0.4


def test_a_rate_of_one(keras_backend: Backend, flavour: str) -> None:
    """At a rate of 1 Keras 2 returns the input; Keras 3 divides by zero, an error here."""
    import torch

    from keras_impl.framework import keras, set_dtype, tf
    from torch_impl.nn import noise

    set_dtype("float64")
    x = values((6, 5))
    for name in ("GaussianDropout", "AlphaDropout"):
        layer = getattr(keras.layers, name)(1.0)
        if flavour == "keras3":
            with pytest.raises(ZeroDivisionError):
                layer(tf.constant(x), training=True)
            with pytest.raises(ValueError, match=r"rate: received 1\.0, accepted: 0 to below 1"):
                getattr(noise, name)(1.0, flavour=flavour)
        else:
            assert np.array_equal(layer(tf.constant(x), training=True).numpy(), x)
            assert np.array_equal(getattr(noise, name)(1.0)(torch.from_numpy(x)).numpy(), x)
