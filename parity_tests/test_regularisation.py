"""Penalties, constraints, noise and augmentation: PyTorch's against Keras's own layers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.backend import Backend
from parity.tolerance import FLOAT64

pytestmark = pytest.mark.flavour

DTYPES = ["float64", "float32"]
FLOAT32_ULPS = 8
"""Of the largest entry: sums of up to 60 squares in another order."""


def assert_close(found: Any, expected: Any, scale: float | None = None) -> None:
    """Relative to the largest entry, or a larger scale: float64 by the table, float32 in ulp."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    scale = found.dtype.type(scale or abs(expected).max() or 1)
    away = abs(found - expected).max()
    if found.dtype == np.float64:
        assert away <= FLOAT64["forward_eval"].limit * scale
    else:
        assert away <= FLOAT32_ULPS * np.spacing(scale), f"{away / np.spacing(scale):.0f} ulp"


def values(shape: tuple[int, ...], dtype: str = "float64") -> np.ndarray:
    """Normal numbers with a zero, ±100 and a tiny one among them."""
    found = np.random.default_rng(0).standard_normal(shape)
    found.flat[:4] = 0.0, 100.0, -100.0, 1e-30
    return found.astype(dtype)


# Regularizers

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
    """A penalty and its gradient are Keras's, also at zero."""
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
    """In float64 the other flavour's λ stands 1e-8 away, so the comparison sees the rounding."""
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
    """PyTorch's ``weight_decay`` of λ is half of L2(λ); of 2λ it is the same in plain SGD."""
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
    """All losses of a model, batch after batch, and the gradients they send into the weights."""
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
    """Doubling the batch leaves the penalty on the outputs as it is; without it there is none."""
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


# Constraints

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
    """A weight in Keras's layout, and transposed as in a Linear, becomes what Keras makes of it."""
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
    """Minus infinity becomes NaN in Keras 2, which multiplies with zero, and 0 in Keras 3."""
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
    """Keras's axes are found in PyTorch's weights: the same norms are held for every layer."""
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
    """Ten steps of a Linear under constraints end where Keras's Dense ends."""
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
    """As Keras's optimizers do, which do not see such a weight."""
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
    """PyTorch's ``renorm`` does not shrink a weight within the norm; Keras's does, by 1e-7/‖w‖."""
    import torch

    from torch_impl.nn.constraints import MaxNorm

    weight = torch.full((4, 3), 0.1, dtype=torch.float64)
    naive = weight.renorm(2, 0, 2.0)
    found = MaxNorm(2.0)(weight, (1, 0))
    assert torch.equal(naive, weight)
    expected = 1e-7 / 0.1 / 3**0.5
    assert abs((1 - found / weight).max().item() / expected - 1) < 1e-6


# Noise

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
    """Keras's output in training, with the draws that one seed gives."""
    from keras_impl.framework import keras, tf

    tf.random.set_seed(3)
    layer = getattr(keras.layers, name)(rate, seed=7)
    return layer(tf.constant(x), training=True).numpy()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "rate"), NOISE, ids=str)
def test_noise(name: str, rate: float, dtype: str, keras_backend: Backend, flavour: str) -> None:
    """With the numbers that Keras drew, a module gives what Keras's layer gave, and its gradient.

    The numbers are read off Keras's own layers under the same seed: normal ones off what
    ``GaussianNoise(1)`` makes of zeros, a mask off which ones ``AlphaDropout`` leaves positive.
    """
    import torch

    from keras_impl import noise as keras_noise
    from keras_impl.framework import keras, set_dtype, tf
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
    shared = getattr(keras_noise, f"Shared{name}")(rate, "shared")
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
    """The same seed gives the same noise, of the right size; the mean stays."""
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
    """Of standard normal numbers, as PyTorch's own does; a plain dropout halves them instead."""
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
    """Keras 2 then changes nothing; Keras 3 divides by zero, which is refused here."""
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


# Augmentation

SIZE = (6, 7, 9, 2)
FILLS = ["constant", "nearest", "reflect", "wrap"]
TURNS = [0.1, -0.3, 0.25, 0.5, 0.0, 0.93]


def images(dtype: str = "float32", low: float = 0.0, high: float = 255.0) -> np.ndarray:
    """Six images (N, H, W, C) of noise."""
    return np.random.default_rng(0).uniform(low, high, SIZE).astype(dtype)


def kerases_transform(x: np.ndarray, matrices: np.ndarray, **how: Any) -> np.ndarray:
    """The function underneath Keras's layers."""
    from keras_impl.framework import FLAVOUR, keras, tf

    if FLAVOUR == "keras3":
        return keras.ops.image.affine_transform(
            tf.constant(x), tf.constant(matrices), data_format="channels_last", **how
        ).numpy()
    module = sys.modules[keras.layers.RandomRotation.__module__]
    return module.transform(tf.constant(x), tf.constant(matrices), **how).numpy()


def projections() -> np.ndarray:
    """Far outside on all sides, a projective one, halves to round, and one that nears k = 0."""
    rng = np.random.default_rng(1)
    found = np.zeros((6, 8), np.float32)
    found[:, [0, 4]] = 1.0
    found[:3, :6] += rng.standard_normal((3, 6)) * ([0.5, 0.5, 20.0] * 2)
    found[3] = 1.0, 0.1, -2.0, 0.2, 0.8, 1.0, 0.01, -0.02
    found[4, [2, 5]] = -2.5, 3.5
    found[5, [6, 7]] = -0.25, 0.0
    return found


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("fill_mode", FILLS)
def test_transform(
    fill_mode: str, interpolation: str, dtype: str, layout: str, keras_backend: Backend
) -> None:
    """Any projective map gives Keras's image bit for bit, in both layouts."""
    import torch

    from torch_impl.nn.augmentation import transform

    x, how = images(dtype), {"fill_mode": fill_mode, "interpolation": interpolation}
    expected = kerases_transform(x, projections(), fill_value=7.5, **how)
    given = torch.from_numpy(x if layout == "NHWC" else x.transpose(0, 3, 1, 2).copy())
    found = transform(
        given, torch.from_numpy(projections()), fill_value=7.5, layout=layout, **how
    ).numpy()
    assert np.array_equal(found if layout == "NHWC" else found.transpose(0, 2, 3, 1), expected)
    if fill_mode == "constant":
        assert (expected == 7.5).any()


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 1, 5, 1), (1, 5, 1, 1)])
@pytest.mark.parametrize("fill_mode", FILLS)
def test_transform_of_thin_images(
    fill_mode: str, shape: tuple[int, ...], keras_backend: Backend
) -> None:
    """An image of one row or column has nothing to reflect."""
    import torch

    from torch_impl.nn.augmentation import transform

    x = np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)
    matrices = np.array([[1, 0, 2.25, 0, 1, -1.5, 0, 0]], np.float32)
    expected = kerases_transform(x, matrices, fill_mode=fill_mode)
    found = transform(
        torch.from_numpy(x), torch.from_numpy(matrices), fill_mode=fill_mode, layout="NHWC"
    )
    assert np.array_equal(found.numpy(), expected)


MOVES: list[tuple[str, tuple[float, ...]]] = [
    *(("rotate", (turns,)) for turns in TURNS),
    *(("translate", pair) for pair in ((0.3, -0.2), (-0.45, 0.5), (0.0, 1.0))),
    *(("zoom", pair) for pair in ((0.3, -0.2), (-0.45, 0.5), (0.0, 1.0))),
    ("zoom", (0.37,)),
]


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("fill_mode", FILLS)
@pytest.mark.parametrize(("kind", "numbers"), MOVES, ids=str)
def test_moves(
    kind: str,
    numbers: tuple[float, ...],
    fill_mode: str,
    interpolation: str,
    keras_backend: Backend,
    flavour: str,
) -> None:
    """Keras's whole layer, whose range is drawn together to one number, moves images alike."""
    import torch

    from keras_impl.framework import keras, set_dtype, tf
    from torch_impl.nn import augmentation

    set_dtype("float32")
    how = {"fill_mode": fill_mode, "interpolation": interpolation, "fill_value": 3.0}
    name = {"rotate": "Rotation", "translate": "Translation", "zoom": "Zoom"}[kind]
    layer = getattr(keras.layers, f"Random{name}")(*((n, n) for n in numbers), **how)
    x = images()
    expected = np.asarray(layer(tf.constant(x), training=True))
    given = [torch.full((len(x),), number, dtype=torch.float64) for number in numbers]
    extra = {"flavour": flavour} if kind == "rotate" else {}
    found = getattr(augmentation, kind)(
        torch.from_numpy(x), *given, layout="NHWC", **how, **extra
    ).numpy()
    assert abs(found - expected).max() <= MOVED_ULPS[kind] * np.spacing(np.float32(255))
    assert any(numbers) == (abs(found - x).max() > 1)


MOVED_ULPS = {"rotate": 24, "translate": 0, "zoom": 0}
"""Of the largest pixel. A rotation: the frameworks' float32 sine and cosine differ by one ulp (in
a fifth of all angles TensorFlow's is not the nearest float32), which moves coordinates of up to 16,
with their offset, by 1.5e-6; measured 8.
"""


AUGMENTED: dict[str, Callable[[Any, float], Any]] = {
    "rotation": lambda keras, by: keras.layers.RandomRotation((by, by)),
    "shift": lambda keras, by: keras.layers.RandomTranslation((by, by), (by, by)),
    "zoom": lambda keras, by: keras.layers.RandomZoom((by, by)),
}


@pytest.mark.parametrize("drawn", [0.0, 0.6875])
@pytest.mark.parametrize("option", [*AUGMENTED, "contrast", "flip"])
@pytest.mark.parametrize("twin", ["keras", "torch"])
def test_augmentation_of_a_spec(
    twin: str, option: str, drawn: float, keras_backend: Backend, flavour: str
) -> None:
    """Both twins do by a uniform number what Keras's own layer does when it draws the same."""
    import torch

    from keras_impl.augmentation import augmentation as in_keras
    from keras_impl.framework import keras, set_dtype, tf
    from parity.specs.cnn import AUGMENTED_BY, CnnSpec
    from torch_impl.augmentation import augmentation as in_torch

    set_dtype("float32")
    x, by = images(), 0.3 * (2.0 * drawn - 1.0)
    fields = {option: "horizontal" if option == "flip" else 0.3}
    spec = CnnSpec(input_shape=SIZE[1:], classes=2, flavour=flavour, channels=(1,), **fields)
    if option == "flip":
        expected = x[:, :, ::-1] if drawn < 0.5 else x
    elif option == "contrast":
        expected = tf.clip_by_value(tf.image.adjust_contrast(x, 1.0 + by), 0, 255).numpy()
    else:
        expected = np.asarray(AUGMENTED[option](keras, by)(tf.constant(x), training=True))
    numbers = np.full((len(x), len(AUGMENTED_BY)), drawn, np.float32)
    if twin == "keras":
        found = in_keras(spec)(tf.constant(x), tf.constant(numbers), training=True).numpy()
        still = in_keras(spec)(tf.constant(x)).numpy()
    else:
        module, given = in_torch(spec), torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
        found = module(given, torch.from_numpy(numbers)).permute(0, 2, 3, 1).numpy()
        still = module.eval()(given).permute(0, 2, 3, 1).numpy()
    assert abs(found - expected).max() <= MOVED_ULPS["rotate"] * np.spacing(np.float32(255))
    assert np.array_equal(still, x)
    assert np.array_equal(found, x) == (option == "flip" and drawn >= 0.5)


def test_one_move_for_each_image(keras_backend: Backend, flavour: str) -> None:
    """A batch moved by several numbers at once is the images moved one by one."""
    import torch

    from torch_impl.nn.augmentation import rotate, zoom

    x = torch.from_numpy(images().transpose(0, 3, 1, 2).copy())
    turns = torch.tensor(TURNS)
    for move in (lambda x, by: rotate(x, by, flavour=flavour), zoom):
        together = move(x, turns / 2)
        alone = torch.cat([move(x[i : i + 1], turns[i : i + 1] / 2) for i in range(len(x))])
        assert torch.equal(together, alone)


def test_flips(keras_backend: Backend, flavour: str) -> None:
    """Keras's layer flips a batch; what it did to each image is found, and done alike here.

    In Keras 3 an image is flipped both ways or not at all.
    """
    import torch

    from keras_impl.framework import keras, set_dtype, tf
    from torch_impl.nn.augmentation import flip

    set_dtype("float32")
    x = np.concatenate([images()] * 8)
    tf.random.set_seed(0)
    expected = np.asarray(keras.layers.RandomFlip(seed=5)(tf.constant(x), training=True))
    ways = {(h, v): x[:, :: -1 if v else 1, :: -1 if h else 1] for h in (0, 1) for v in (0, 1)}
    did = [
        next(way for way, flipped in ways.items() if np.array_equal(flipped[i], expected[i]))
        for i in range(len(x))
    ]
    horizontal, vertical = (torch.tensor(which) for which in zip(*did, strict=True))
    found = flip(torch.from_numpy(x), horizontal, vertical, layout="NHWC")
    assert np.array_equal(found.numpy(), expected)
    turned = flip(torch.from_numpy(x).permute(0, 3, 1, 2), horizontal, vertical)
    assert np.array_equal(turned.permute(0, 2, 3, 1).numpy(), expected)
    assert len(set(did)) == {"tf_keras": 4, "keras3": 2}[flavour]
    if flavour == "keras3":
        assert torch.equal(horizontal, vertical)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("high", [255.0, 1.0])
@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.9])
def test_contrast(
    factor: float, high: float, dtype: str, keras_backend: Backend, flavour: str
) -> None:
    """What Keras's layer does with the factor it drew: Keras 2 in float32 whatever the dtype."""
    import torch

    from keras_impl.framework import keras, set_dtype, tf
    from torch_impl.nn.augmentation import contrast

    set_dtype(dtype)
    x = images(dtype, high=high)
    value_range = (0.0, 255.0) if flavour == "tf_keras" else (0.0, high)
    if flavour == "tf_keras":  # the lines of RandomContrast.call after it has drawn
        expected = tf.clip_by_value(tf.image.adjust_contrast(x, factor), 0, 255).numpy()
        factors = torch.tensor(factor)
    else:
        layer = keras.layers.RandomContrast(0.5, value_range=value_range)
        each = np.linspace(factor, factor + 0.2, len(x)).astype(dtype)
        given = {"contrast_factor": tf.constant(each.reshape(-1, 1, 1, 1))}
        expected = np.asarray(layer.transform_images(tf.constant(x), given))
        factors = torch.from_numpy(each)
    found = contrast(
        torch.from_numpy(x), factors, value_range=value_range, layout="NHWC", flavour=flavour
    ).numpy()
    if flavour == "tf_keras":  # computed in float32 on both sides
        assert np.array_equal(expected, expected.astype("float32"))
        assert np.array_equal(found, found.astype("float32"))
        found, expected = found.astype("float32"), expected.astype("float32")
    assert_close(found, expected)
    turned = contrast(
        torch.from_numpy(x).permute(0, 3, 1, 2), factors, value_range=value_range, flavour=flavour
    )
    assert_close(turned.permute(0, 2, 3, 1).numpy().astype(expected.dtype), expected)


def test_grid_sample_reflects_otherwise(keras_backend: Backend) -> None:
    """PyTorch's ``F.grid_sample`` does not repeat the edge when it reflects; Keras does."""
    import torch
    from torch.nn import functional as F

    from torch_impl.nn.augmentation import translate

    x = torch.from_numpy(images().transpose(0, 3, 1, 2).copy())
    shift = torch.full((len(x),), 2 / 7, dtype=torch.float64)
    found = translate(x, shift, torch.zeros(len(x)))
    theta = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, -2 * 2 / 6]]).expand(len(x), 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=True)
    naive = F.grid_sample(x, grid, padding_mode="reflection", align_corners=True)
    assert abs(naive[:, :, 2:] - found[:, :, 2:]).max() < 1e-3
    assert abs(naive[:, :, :2] - found[:, :, :2]).max() > 100


def test_gradient_is_the_transpose(keras_backend: Backend, flavour: str) -> None:
    """Of the linear map that a transform is; TensorFlow's is the inverse map's, another one."""
    import torch

    from keras_impl.framework import tf
    from torch_impl.nn.augmentation import rotation_matrices, transform

    basis = torch.eye(20).reshape(20, 1, 4, 5)
    turns = torch.tensor([0.07])
    matrices = rotation_matrices(turns, 4, 5, flavour)
    dense = transform(basis, matrices.expand(20, 8), fill_mode="constant").reshape(20, 20)
    x = torch.rand(1, 1, 4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    upstream = torch.linspace(-1, 1, 20).reshape(1, 1, 4, 5)
    (transform(x, matrices, fill_mode="constant") * upstream).sum().backward()
    assert abs(x.grad.flatten() - dense @ upstream.flatten()).max() < 1e-6

    k = tf.Variable(x.detach().permute(0, 2, 3, 1).numpy())
    with tf.GradientTape() as tape:
        seen = tf.raw_ops.ImageProjectiveTransformV3(
            images=k,
            transforms=matrices.numpy(),
            output_shape=[4, 5],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="CONSTANT",
        )
        loss = tf.reduce_sum(seen * upstream.permute(0, 2, 3, 1).numpy())
    away = tape.gradient(loss, k).numpy().transpose(0, 3, 1, 2) - x.grad.numpy()
    assert abs(away).max() > 0.03


def test_nothing_is_read_back(flavour: str) -> None:
    """Augmentation and penalties work on a device that holds no numbers."""
    import torch

    from torch_impl.nn.augmentation import contrast, flip, rotate, translate, zoom
    from torch_impl.nn.regularizers import L1L2

    x = torch.empty(6, 2, 7, 9, device="meta")
    numbers = torch.empty(6, device="meta")
    found = [
        flip(x, numbers.bool(), numbers.bool()),
        rotate(x, numbers, flavour=flavour),
        translate(x, numbers, numbers, interpolation="nearest"),
        zoom(x, numbers, fill_mode="wrap"),
        contrast(x, numbers, flavour=flavour),
        L1L2(0.1, 0.1, flavour=flavour)(x),
    ]
    assert {tensor.device.type for tensor in found} == {"meta"}


def test_augmentation_refuses() -> None:
    """Names, shapes and dtypes that are not known."""
    import torch

    from torch_impl.nn.augmentation import contrast, flip, rotate, transform

    x, turns, matrices = torch.ones(2, 3, 4, 5), torch.zeros(2), torch.zeros(2, 8)
    with pytest.raises(ValueError, match="layout: received 'CHW', accepted: NCHW, NHWC"):
        rotate(x, turns, layout="CHW")
    with pytest.raises(ValueError, match="fill_mode: received 'mirror', accepted: constant, near"):
        transform(x, matrices, fill_mode="mirror")
    with pytest.raises(ValueError, match="interpolation: received 'cubic', accepted: bilinear"):
        transform(x, matrices, interpolation="cubic")
    with pytest.raises(ValueError, match=r"matrices: received shape \(1, 8\), accepted: \(2, 8\)"):
        transform(x, matrices[:1])
    with pytest.raises(ValueError, match=r"images: received torch\.uint8, accepted: a floating"):
        transform(x.byte(), matrices)
    with pytest.raises(ValueError, match=r"images: received shape \(3, 4, 5\), accepted: four"):
        transform(x[0], matrices)
    with pytest.raises(ValueError, match=r"flip: received shape \(1,\), accepted: \(2,\)"):
        flip(x, torch.ones(1), torch.ones(2))
    with pytest.raises(ValueError, match=r"factors: received shape \(3,\), accepted: \(2,\)"):
        contrast(x, torch.ones(3))
    with pytest.raises(ValueError, match="flavour: received 'keras4', accepted: tf_keras, keras3"):
        rotate(x, turns, flavour="keras4")


# Refusals

REFUSALS: list[tuple[str, str, dict[str, Any], str]] = [
    ("regularizers", "L1", {"l1": -1.0}, "l1: received -1.0, accepted: 0 or more, finite"),
    ("regularizers", "L2", {"l2": float("nan")}, "l2: received nan"),
    ("regularizers", "L1L2", {"l2": float("inf")}, "l2: received inf"),
    ("regularizers", "L2", {"flavour": "keras4"}, "flavour: received 'keras4', accepted: tf_keras"),
    ("constraints", "MaxNorm", {"max_value": -1.0}, "max_value: received -1.0"),
    ("constraints", "MinMaxNorm", {"min_value": 2.0}, "received 2.0 and 1.0, accepted: 0 or more"),
    ("constraints", "MinMaxNorm", {"rate": 1.5}, "rate: received 1.5, accepted: 0 to 1"),
    ("constraints", "NonNeg", {"flavour": "keras4"}, "flavour: received 'keras4'"),
    ("noise", "GaussianNoise", {"stddev": -1.0}, "stddev: received -1.0, accepted: 0 or more"),
    ("noise", "GaussianNoise", {"stddev": 2.0, "flavour": "keras3"}, "accepted: 0 to 1"),
    ("noise", "GaussianDropout", {"rate": 1.5}, "rate: received 1.5, accepted: 0 to 1"),
    ("noise", "AlphaDropout", {"rate": -0.1}, "rate: received -0.1, accepted: 0 or more"),
    ("noise", "AlphaDropout", {"rate": 0.1, "flavour": "keras4"}, "flavour: received 'keras4'"),
]


@pytest.mark.parametrize(("file", "name", "given", "message"), REFUSALS, ids=str)
def test_refuses(file: str, name: str, given: dict[str, Any], message: str) -> None:
    """Each names what it received and what it accepts."""
    import importlib

    module = importlib.import_module(f"torch_impl.nn.{file}")
    with pytest.raises(ValueError, match="received") as caught:
        getattr(module, name)(**given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_in_use() -> None:
    """Names that the model does not have, axes, layouts and shapes that do not fit."""
    import torch
    from torch import nn

    from torch_impl.nn.constraints import NonNeg, UnitNorm, constrain
    from torch_impl.nn.noise import AlphaDropout, GaussianNoise
    from torch_impl.nn.regularizers import L2, Penalties

    model = nn.Sequential(nn.Linear(3, 4), nn.LSTM(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"weights: received 'weight', accepted: 0\.weight, "):
        Penalties(model, {"weight": L2()})
    with pytest.raises(ValueError, match="activity: received '2', accepted: "):
        Penalties(model, activity={"2": L2()})
    Penalties(model, activity={"1": L2()})
    with pytest.raises(ValueError, match="activity of 1: received tuple, accepted: a module"):
        model(torch.ones(1, 3))
    with pytest.raises(ValueError, match=r"constraints: received 'bias', accepted: 0\.weight, "):
        constrain(optimizer, model, {"bias": NonNeg()})
    with pytest.raises(ValueError, match=r"axis: received \(2,\) for a weight of shape \(4, 3\)"):
        UnitNorm(axis=2)(model[0].weight)
    with pytest.raises(ValueError, match="in_proj_weight: received MultiheadAttention, accepted"):
        constrain(optimizer, nn.MultiheadAttention(4, 1), {"in_proj_weight": UnitNorm()})
    with pytest.raises(ValueError, match=r"noise: received shape \(3,\), accepted: \(2, 3\)"):
        GaussianNoise(0.1)(torch.ones(2, 3), torch.ones(3))
    with pytest.raises(ValueError, match=r"kept: received shape \(5, 2, 3\), accepted: what"):
        AlphaDropout(0.1)(torch.ones(2, 3), torch.ones(5, 2, 3))
