"""Class weights, sample weights and a training loop equal Keras's ``fit``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity_tests.support.loss_rows import (
    DTYPES,
    LIMITS,
    D,
    N,
    assert_same,
    in_keras,
    in_torch,
    outputs_of,
    targets_of,
)

pytestmark = pytest.mark.flavour


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("given_as", ["sequence", "mapping", "with_examples"])
@pytest.mark.parametrize(
    ("kind", "given", "outputs", "target"),
    [
        ("SparseCategoricalCrossentropy", {"from_logits": True}, "any", "labels"),
        ("SparseCategoricalCrossentropy", {}, "softmax", "labels"),
        ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "softmax", "one_hot"),
        ("CategoricalCrossentropy", {"from_logits": True}, "any", "soft"),
        ("BinaryCrossentropy", {}, "sigmoid", "binary"),
        ("BinaryCrossentropy", {"from_logits": True, "reduction": "sum"}, "any", "one"),
    ],
)
def test_classes_are_weighed_as_fit_does(
    kind: str,
    given: dict[str, Any],
    outputs: str,
    target: str,
    given_as: str,
    dtype: str,
    keras_backend: Backend,
    flavour: str,
) -> None:
    """The loss equals that of Keras's ``train_on_batch`` with the same weights."""
    import torch

    from keras_impl.framework import keras, set_dtype
    from torch_impl import nn

    set_dtype(dtype)
    x, y = outputs_of(outputs).astype(dtype), targets_of("binary" if target == "one" else target)
    if target == "one":
        x, y = x[:, :1], y[:, 0]
    named = dict(enumerate([0.1, 1.7, 0.6, 3.0, 0.2]))
    examples = None
    if given_as == "with_examples":
        if flavour == "keras3":
            pytest.skip("Keras 3 takes weights either of classes or of examples")
        examples = np.random.default_rng(3).uniform(0, 2, N).astype(dtype)
    if given_as == "mapping" and flavour == "keras3":
        del named[1], named[4]
    inputs = keras.Input((x.shape[1],))
    identity = keras.layers.Dense(
        x.shape[1], use_bias=False, kernel_initializer=keras.initializers.Identity()
    )
    model = keras.Model(inputs, identity(inputs))
    model.compile(keras.optimizers.SGD(0.0), getattr(keras.losses, kind)(**given))
    k = np.asarray(model.train_on_batch(x, y, sample_weight=examples, class_weight=named))
    weights = list(named.values()) if given_as == "sequence" else named
    loss = getattr(nn, kind)(**given, flavour=flavour, class_weight=weights)
    t = loss(
        torch.from_numpy(x),
        torch.from_numpy(y[:, None] if target == "one" else y),
        None if examples is None else torch.from_numpy(examples),
    ).numpy()
    assert abs(t - k) <= LIMITS[dtype] * abs(k)


def test_weights_of_classes_and_examples_multiply(keras_backend: Backend, flavour: str) -> None:
    """Class and sample weights are multiplied, in sequences too."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.1, 2, D).astype(np.float32).astype(float)
    outputs, labels = rng.standard_normal((4, 3, D)), rng.integers(0, D, (4, 3))
    kind, given = "SparseCategoricalCrossentropy", {"from_logits": True}
    for sample_weight in (None, 0.25, rng.uniform(0, 2, (4, 1)), rng.uniform(0, 2, (4, 3))):
        whole = weights[labels] * (1.0 if sample_weight is None else sample_weight)
        k = in_keras(kind, given, outputs, labels, whole)
        more = {**given, "class_weight": tuple(weights)}
        assert_same(in_torch(kind, more, outputs, labels, sample_weight, flavour=flavour), k)


@pytest.mark.parametrize("from_logits", [False, True])
def test_an_ordinary_training_loop_ends_where_fit_does(
    from_logits: bool, keras_backend: Backend, flavour: str
) -> None:
    """Five steps of gradient descent with class weights, in a usual PyTorch loop."""
    import torch

    from keras_impl.framework import keras, set_dtype
    from torch_impl import nn, optim

    set_dtype("float64")
    rng = np.random.default_rng(0)
    x, y, kernel = rng.standard_normal((N, 7)), targets_of("labels"), rng.standard_normal((7, D))
    weights = {0: 0.1, 1: 1.7, 2: 0.6, 3: 3.0, 4: 0.2}

    inputs = keras.Input((7,))
    dense = keras.layers.Dense(D, use_bias=False)
    logits = dense(inputs)
    outputs = logits if from_logits else keras.layers.Reshape((D,))(keras.layers.Softmax()(logits))
    keras_model = keras.Model(inputs, outputs)
    dense.kernel.assign(kernel)
    keras_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    keras_model.compile(keras.optimizers.SGD(0.01), keras_loss)

    linear = torch.nn.Linear(7, D, bias=False, dtype=torch.float64)
    linear.weight.data.copy_(torch.from_numpy(kernel.T))
    model = linear if from_logits else torch.nn.Sequential(linear, torch.nn.Softmax(-1))
    loss = nn.SparseCategoricalCrossentropy(from_logits, class_weight=weights, flavour=flavour)
    rate = float(keras_model.optimizer.learning_rate.numpy())
    optimizer = optim.SGD(model.parameters(), lr=rate, flavour=flavour)
    for _ in range(5):
        keras_model.train_on_batch(x, y, class_weight=weights)
        optimizer.zero_grad()
        loss(model(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        optimizer.step()
    k, t = dense.kernel.numpy(), linear.weight.detach().numpy().T
    assert abs(t - k).max() <= LIMITS["float64"] * abs(k).max()
    assert abs(k - kernel).max() > 1e-3
