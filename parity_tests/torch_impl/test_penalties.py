"""Penalties on weights and outputs in PyTorch equal Keras's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity_tests.support.closeness import DTYPES, assert_close, values

pytestmark = pytest.mark.flavour

REGULARIZERS: list[tuple[str, dict[str, float]]] = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {"l1": 0.1}),
    ("L1L2", {"l2": 0.7}),
    ("L1L2", {"l1": 0.1, "l2": 0.7}),
    ("L1L2", {}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "given"), REGULARIZERS, ids=str)
def test_penalty_and_gradient(
    name: str, given: dict[str, float], dtype: str, keras_backend: Backend, flavour: str
) -> None:
    """A penalty and its gradient equal Keras's, also at zero."""
    import torch

    from keras_impl.framework import keras, set_dtype, tf
    from torch_impl.nn import regularizers

    set_dtype(dtype)
    x = values((6, 5), dtype)
    k = tf.Variable(x)
    with tf.GradientTape() as tape:
        expected = getattr(keras.regularizers, name)(**given)(k)
    t = torch.from_numpy(x).requires_grad_()
    found = getattr(regularizers, name)(**given, flavour=flavour)(t)
    assert_close(found.detach().numpy(), expected.numpy())
    gradient = tape.gradient(expected, k)
    if gradient is not None:  # none at all for a penalty of nothing
        found.backward()
        assert_close(t.grad.numpy(), gradient.numpy())


def test_the_unrounded_factor_is_seen(keras_backend: Backend, flavour: str) -> None:
    """The comparison detects the other version's rounding of λ, an error of 1e-8."""
    import torch

    from keras_impl.framework import keras, set_dtype, tf
    from torch_impl.nn.regularizers import L2

    set_dtype("float64")
    x = values((6, 5))
    expected = float(keras.regularizers.L2(0.01)(tf.constant(x)))
    other = {"tf_keras": "keras3", "keras3": "tf_keras"}[flavour]
    assert float(L2(0.01, flavour=flavour)(torch.from_numpy(x))) == pytest.approx(
        expected, rel=1e-15
    )
    assert abs(float(L2(0.01, flavour=other)(torch.from_numpy(x))) / expected - 1) > 1e-9


def test_l2_is_twice_weight_decay() -> None:
    """In plain SGD PyTorch's ``weight_decay=2λ`` equals L2(λ), and ``weight_decay=λ`` does not."""
    import torch

    from torch_impl.nn.regularizers import L2

    def moved(decay: float, factor: float) -> torch.Tensor:
        weight = torch.from_numpy(values((6, 5))).requires_grad_()
        optimizer = torch.optim.SGD([weight], lr=0.1, weight_decay=decay)
        (L2(factor)(weight) + 0.0 * weight.sum()).backward()
        optimizer.step()
        return weight.detach()

    penalised = moved(0.0, 0.1)
    assert abs(moved(0.2, 0.0) - penalised).max() < 1e-13
    assert abs(moved(0.1, 0.0) - penalised).max() > 0.9


def model_of(kind: str, flavour: str, dtype: str) -> tuple[Any, Any, Any]:
    """Keras's model, PyTorch's with the same weights, and its penalties."""
    import torch
    from torch import nn

    from keras_impl.framework import keras, set_dtype
    from torch_impl.nn.regularizers import L1, L1L2, L2, Penalties

    set_dtype(dtype)
    activity = kind != "weights"
    k = keras.Sequential(
        [
            keras.layers.Dense(
                4,
                activation="tanh",
                kernel_regularizer=keras.regularizers.L2(0.03),
                bias_regularizer=keras.regularizers.L1(0.2),
                activity_regularizer=keras.regularizers.L1L2(0.1, 0.3) if activity else None,
            ),
            keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L1(0.1)),
        ]
    )
    k.build((None, 3))
    k.set_weights([values(weight.shape) / 50 for weight in k.get_weights()])
    if kind == "frozen":
        k.layers[0].trainable = False
    t = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).to(getattr(torch, dtype))
    for own, given in zip(t.parameters(), k.get_weights(), strict=True):
        own.data = torch.from_numpy(given.T.copy())
    if kind == "frozen":
        t[0].requires_grad_(False)
    penalties = Penalties(
        t,
        {
            "0.weight": L2(0.03, flavour=flavour),
            "0.bias": L1(0.2, flavour=flavour),
            "2.weight": L1(0.1, flavour=flavour),
        },
        activity={"1": L1L2(0.1, 0.3, flavour=flavour)} if activity else None,
    )
    return k, t, penalties


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["weights", "all", "frozen"])
def test_penalties_of_a_model(kind: str, dtype: str, keras_backend: Backend, flavour: str) -> None:
    """The losses of a model, and their gradients, equal Keras's batch after batch."""
    import torch

    from keras_impl.framework import tf

    k, t, penalties = model_of(kind, flavour, dtype)
    for size in (7, 7, 2):
        x = np.random.default_rng(size).standard_normal((size, 3)).astype(dtype)
        with tf.GradientTape() as tape:
            outputs = k(tf.constant(x), training=True)
            expected = tf.add_n(k.losses)
            loss = expected + tf.reduce_sum(outputs)
        t.zero_grad()
        found_outputs = t(torch.from_numpy(x))
        found = penalties()
        assert_close(found.detach().numpy(), expected.numpy())
        (found + found_outputs.sum()).backward()
        gradients = tape.gradient(loss, k.trainable_weights)
        own = [weight for weight in t.parameters() if weight.requires_grad]
        # what is added up in a gradient is as large as the largest of them all
        scale = max(abs(gradient.numpy()).max() for gradient in gradients)
        for weight, gradient in zip(own, gradients, strict=True):
            assert_close(weight.grad.numpy(), gradient.numpy().T, scale)


def test_activity_is_a_mean_over_the_batch(flavour: str) -> None:
    """Doubling the batch does not change the penalty on outputs."""
    import torch
    from torch import nn

    from torch_impl.nn.regularizers import L2, Penalties

    model = nn.Sequential(nn.Identity())
    penalties = Penalties(model, activity={"0": L2(0.5, flavour=flavour)})
    assert penalties().item() == 0.0
    x = torch.from_numpy(values((4, 3)))
    model(x)
    once = penalties().item()
    model(torch.cat([x, x]))
    assert penalties().item() == pytest.approx(once, rel=1e-15)
    model(x[:0])
    assert penalties().item() == 0.0
