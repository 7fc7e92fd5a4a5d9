"""Image augmentation in PyTorch equals that of Keras's layers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.adapters.backend import Backend
from parity_tests.support.closeness import DTYPES, assert_close

pytestmark = pytest.mark.flavour

SIZE = (6, 7, 9, 2)
FILLS = ["constant", "nearest", "reflect", "wrap"]
TURNS = [0.1, -0.3, 0.25, 0.5, 0.0, 0.93]


def images(dtype: str = "float32", low: float = 0.0, high: float = 255.0) -> np.ndarray:
    """Six images (N, H, W, C) of noise."""
    return np.random.default_rng(0).uniform(low, high, SIZE).astype(dtype)


def kerases_transform(x: np.ndarray, matrices: np.ndarray, **how: Any) -> np.ndarray:
    """The function that Keras's layers call."""
    from keras_impl.framework import FLAVOUR, keras, tf

    if FLAVOUR == "keras3":
        return keras.ops.image.affine_transform(
            tf.constant(x), tf.constant(matrices), data_format="channels_last", **how
        ).numpy()
    module = sys.modules[keras.layers.RandomRotation.__module__]
    return module.transform(tf.constant(x), tf.constant(matrices), **how).numpy()


def projections() -> np.ndarray:
    """Maps far outside on all sides, a projective one, halves to round, and one close to k = 0."""
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
    """Every projective map gives Keras's image bit for bit, in both layouts."""
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
    """An image with one row or column is transformed as in Keras."""
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
    """Keras's layer with a range of a single value gives the same images."""
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
    """With the same uniform draws both twins give the output of Keras's layer."""
    import torch

    from keras_impl.framework import keras, set_dtype, tf
    from keras_impl.parts.augmentation import augmentation as in_keras
    from parity.specs.cnn import AUGMENTATION_DRAWS, CnnSpec
    from torch_impl.parts.augmentation import augmentation as in_torch

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
    numbers = np.full((len(x), len(AUGMENTATION_DRAWS)), drawn, np.float32)
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
    """Transforming a batch equals transforming its images one by one."""
    import torch

    from torch_impl.nn.augmentation import rotate, zoom

    x = torch.from_numpy(images().transpose(0, 3, 1, 2).copy())
    turns = torch.tensor(TURNS)
    for move in (lambda x, by: rotate(x, by, flavour=flavour), zoom):
        together = move(x, turns / 2)
        alone = torch.cat([move(x[i : i + 1], turns[i : i + 1] / 2) for i in range(len(x))])
        assert torch.equal(together, alone)


def test_flips(keras_backend: Backend, flavour: str) -> None:
    """Flipping the images that Keras's layer flipped gives its output.

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
    """The contrast equals that of Keras's layer with the same factor (Keras 2 in float32)."""
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
    """PyTorch's ``F.grid_sample`` does not repeat the edge when reflecting; Keras does."""
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
    """The gradient is that of the linear map; TensorFlow uses the inverse map instead."""
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
    """Augmentation and penalties work on the meta device."""
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
    """Unknown names and wrong shapes and dtypes are errors."""
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
