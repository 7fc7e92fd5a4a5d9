"""Weight constraints in PyTorch equal Keras's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity_tests.support.closeness import DTYPES, assert_close, values

pytestmark = pytest.mark.flavour

CONSTRAINTS: list[tuple[str, dict[str, Any]]] = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.3}),
    ("MaxNorm", {"max_value": 1.0, "axis": 1}),
    ("MaxNorm", {"max_value": 0.0}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": 1}),
    ("UnitNorm", {"axis": (0, 1)}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 0.7, "max_value": 0.9, "rate": 0.3, "axis": 1}),
    ("MinMaxNorm", {"min_value": 2.0, "max_value": 3.0}),
]


def constraint(name: str, given: dict[str, Any], flavour: str) -> Any:
    """PyTorch's."""
    from torch_impl.nn import constraints

    extra = {"flavour": flavour} if name == "NonNeg" else {}
    return getattr(constraints, name)(**given, **extra)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "given"), CONSTRAINTS, ids=str)
def test_constraint(
    name: str, given: dict[str, Any], dtype: str, keras_backend: Backend, flavour: str
) -> None:
    """A weight, in Keras's layout or transposed as in a Linear, becomes Keras's result."""
    import torch

    from keras_impl.framework import keras, set_dtype, tf

    set_dtype(dtype)
    x = values((6, 5), dtype)
    x[:, 4] = 0.0  # a norm of zero
    expected = getattr(keras.constraints, name)(**given)(tf.constant(x)).numpy()
    own = constraint(name, given, flavour)
    assert_close(own(torch.from_numpy(x)).numpy(), expected)
    turned = own(torch.from_numpy(x.T.copy()), (1, 0)).numpy()
    assert_close(turned, expected.T)


@pytest.mark.parametrize("value", [-np.inf, np.inf, np.nan, -0.0])
def test_nonneg_of_extremes(value: float, keras_backend: Backend, flavour: str) -> None:
    """Minus infinity becomes NaN in Keras 2, which multiplies by zero, and 0 in Keras 3."""
    import torch

    from keras_impl.framework import keras, set_dtype, tf

    set_dtype("float64")
    expected = np.asarray(keras.constraints.NonNeg()(tf.constant([value], tf.float64)))
    found = constraint("NonNeg", {}, flavour)(torch.tensor([value], dtype=torch.float64)).numpy()
    assert np.array_equal(found, expected, equal_nan=True)


LAYERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], tuple[int, ...]]] = {
    "dense": (
        lambda keras: keras.layers.Dense(4),
        lambda nn: nn.Linear(3, 4),
        (5, 3),
    ),
    "conv1d": (
        lambda keras: keras.layers.Conv1D(4, 3),
        lambda nn: nn.Conv1d(2, 4, 3),
        (5, 7, 2),
    ),
    "conv2d": (
        lambda keras: keras.layers.Conv2D(4, (3, 2)),
        lambda nn: nn.Conv2d(2, 4, (3, 2)),
        (5, 7, 6, 2),
    ),
    "conv2d_transpose": (
        lambda keras: keras.layers.Conv2DTranspose(4, (3, 2)),
        lambda nn: nn.ConvTranspose2d(2, 4, (3, 2)),
        (5, 7, 6, 2),
    ),
    "embedding": (
        lambda keras: keras.layers.Embedding(4, 3),
        lambda nn: nn.Embedding(4, 3),
        (5, 2),
    ),
}


@pytest.mark.parametrize("axis", [0, -1, "all_but_last"])
@pytest.mark.parametrize("kind", LAYERS)
def test_layouts(kind: str, axis: int | str, keras_backend: Backend, flavour: str) -> None:
    """Keras's axes are found in PyTorch's weights: the norms are equal for every layer."""
    import torch
    from torch import nn

    from keras_impl.framework import keras, set_dtype, tf
    from torch_impl.nn.constraints import MaxNorm, layout_of

    set_dtype("float64")
    make_keras, make_torch, shape = LAYERS[kind]
    layer = make_keras(keras)
    layer.build(shape)
    given = values(tuple(layer.weights[0].shape))
    axes = tuple(range(given.ndim - 1)) if axis == "all_but_last" else axis
    expected = keras.constraints.MaxNorm(0.5, axis=axes)(tf.constant(given)).numpy()
    module = make_torch(nn)
    layout = layout_of(module, "weight")
    back = tuple(np.argsort(layout))
    weight = torch.from_numpy(given.transpose(back).copy())
    assert weight.shape == module.weight.shape
    found = MaxNorm(0.5, axis=axes)(weight, layout).numpy()
    assert_close(found.transpose(layout), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_constrained_training(dtype: str, keras_backend: Backend, flavour: str) -> None:
    """After ten steps with constraints a Linear equals Keras's Dense."""
    import torch
    from torch import nn

    from keras_impl.framework import keras, set_dtype, tf
    from torch_impl.nn.constraints import MaxNorm, NonNeg, constrain

    set_dtype(dtype)
    layer = keras.layers.Dense(
        4,
        kernel_constraint=keras.constraints.MaxNorm(0.8),
        bias_constraint=keras.constraints.NonNeg(),
    )
    layer.build((None, 3))
    kernel, bias = np.linspace(-1, 1, 12).reshape(3, 4), np.linspace(-1, 1, 4)
    layer.set_weights([kernel.astype(dtype), bias.astype(dtype)])
    optimizer = keras.optimizers.SGD(0.25)
    optimizer.build(layer.trainable_variables)
    module = nn.Sequential(nn.Linear(3, 4)).to(getattr(torch, dtype))
    module[0].weight.data = torch.from_numpy(kernel.T.astype(dtype).copy())
    module[0].bias.data = torch.from_numpy(bias.astype(dtype))
    own = torch.optim.SGD(module.parameters(), lr=0.25)
    handle = constrain(own, module, {"0.weight": MaxNorm(0.8), "0.bias": NonNeg(flavour)})
    rng = np.random.default_rng(0)
    for _ in range(10):
        x = rng.standard_normal((5, 3)).astype(dtype)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(layer(tf.constant(x)) - 1))
        variables = layer.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        own.zero_grad()
        (module(torch.from_numpy(x)) - 1).square().sum().backward()
        own.step()
        norms = module[0].weight.detach().norm(dim=1)
        assert (norms <= 0.8 + 1e-6).all()
        assert (module[0].bias >= 0).all()
    k, k_bias = layer.get_weights()
    if dtype == "float64":
        assert_close(module[0].weight.detach().numpy(), k.T)
        assert_close(module[0].bias.detach().numpy(), k_bias)
    else:  # ten steps, each with its roundings
        assert abs(module[0].weight.detach().numpy() - k.T).max() <= 16 * np.spacing(k.max())
    handle.remove()
    module[0].weight.grad.fill_(-100.0)
    own.step()
    assert module[0].weight.detach().norm(dim=1).min() > 1.0


def test_weights_without_gradient_are_left_alone() -> None:
    """A weight without a gradient is not constrained, as in Keras."""
    import torch
    from torch import nn

    from torch_impl.nn.constraints import UnitNorm, constrain

    model = nn.Linear(3, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    constrain(optimizer, model, {"weight": UnitNorm()})
    before = model.weight.detach().clone()
    optimizer.step()
    assert torch.equal(model.weight, before)
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert abs(model.weight.detach().norm(dim=1) - 1).max() < 1e-6


def test_renorm_leaves_small_weights_alone() -> None:
    """PyTorch's ``renorm`` does not shrink a weight within the norm; Keras does, by 1e-7/‖w‖."""
    import torch

    from torch_impl.nn.constraints import MaxNorm

    weight = torch.full((4, 3), 0.1, dtype=torch.float64)
    naive = weight.renorm(2, 0, 2.0)
    found = MaxNorm(2.0)(weight, (1, 0))
    assert torch.equal(naive, weight)
    expected = 1e-7 / 0.1 / 3**0.5
    assert abs((1 - found / weight).max().item() / expected - 1) < 1e-6
