"""Inputs reach PyTorch contiguous, in the layout that its user would pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.pairs.check import check
from parity_tests.pairs.as_written.models import Written, numbers
from parity_tests.pairs.zoo.models import fill

pytestmark = pytest.mark.flavour

FIRST = {"data_format": "channels_first"}


@pytest.mark.parametrize("padding", [0, 1])
def test_view_flattens_a_map(keras: Any, padding: int) -> None:
    """``view`` needs the memory layout that users have."""
    layers = keras.layers
    stack = [layers.Conv2D(3, 3, padding="same"), layers.Flatten(), layers.Dense(2)]
    model = fill(keras.Sequential([keras.Input((5, 6, 2)), *stack]))
    port = Written(
        lambda self, x: self.fc(self.conv(x).view(x.size(0), -1)),
        conv=nn.Conv2d(2, 3, 3, padding=1),
        fc=nn.Linear(90, 2),
    )
    port.conv.padding_mode = "zeros" if padding == 0 else "replicate"
    port.conv._reversed_padding_repeated_twice = [1, 1, 1, 1]
    report = check(model, port, numbers(4, 5, 6, 2), float32=False)
    assert report.verdict == ("same" if padding == 0 else "different")


@pytest.mark.parametrize("groups", [1, 2])
def test_group_norm_of_the_image_is_trained(keras: Any, groups: int) -> None:
    """PyTorch's gradient of a group norm ends the process where its input is channels-last."""
    layers = keras.layers
    stack = [
        layers.GroupNormalization(2, epsilon=1e-3),
        layers.Conv2D(2, 3),
        layers.GlobalAveragePooling2D(),
    ]
    model = fill(keras.Sequential([keras.Input((6, 7, 4)), *stack]))
    port = Written(
        lambda self, x: self.conv(self.norm(x)).mean((2, 3)),
        norm=nn.GroupNorm(groups, 4, eps=1e-3),
        conv=nn.Conv2d(4, 2, 3),
    )
    report = check(
        model, port, numbers(3, 6, 7, 4), targets=numbers(3, 2), loss="mse", float32=False
    )
    assert report.verdict == ("same" if groups == 2 else "different")


def volumes(layers: Any) -> list[Any]:
    """Convolution and pooling of volumes."""
    return [layers.Conv3D(3, 2, strides=2, **FIRST), layers.MaxPooling3D(2, **FIRST)]


def images(layers: Any) -> list[Any]:
    """What comes before the first convolution is channels-first as well."""
    norm = layers.BatchNormalization(axis=1, epsilon=1e-5)
    conv = layers.Conv2D(3, 3, padding="same", activation="relu", **FIRST)
    return [layers.Rescaling(0.25), norm, conv, layers.AveragePooling2D(2, **FIRST)]


def sequences(layers: Any) -> list[Any]:
    """One axis."""
    return [layers.Conv1D(3, 3, activation="relu", **FIRST)]


CHANNELS_FIRST: dict[str, tuple[Any, tuple[int, ...], Callable[[], nn.Module], int]] = {
    "volumes": (
        volumes,
        (2, 7, 8, 9),
        lambda: nn.Sequential(nn.Conv3d(2, 3, 2, 2), nn.MaxPool3d(2)),
        3 * 1 * 2 * 2,
    ),
    "images": (
        images,
        (2, 8, 10),
        lambda: Written(
            lambda self, x: F.avg_pool2d(torch.relu(self.conv(self.norm(x * 0.25))), 2),
            norm=nn.BatchNorm2d(2),
            conv=nn.Conv2d(2, 3, 3, padding=1),
        ),
        3 * 4 * 5,
    ),
    "sequences": (
        sequences,
        (2, 9),
        lambda: nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU()),
        3 * 7,
    ),
}


@pytest.mark.parametrize("name", CHANNELS_FIRST)
@pytest.mark.parametrize("faithful", [True, False])
def test_channels_first_models_take_the_same_inputs(keras: Any, name: str, faithful: bool) -> None:
    """They run in float64, and are flattened channels first in both models."""
    stack, shape, body, size = CHANNELS_FIRST[name]
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input(shape), *stack(layers), layers.Flatten(), layers.Dense(2)]
    )
    port = Written(
        lambda self, x: self.fc(self.body(x if faithful else x.flip(-1)).flatten(1)),
        body=body(),
        fc=nn.Linear(size, 2),
    )
    report = check(fill(model), port, numbers(3, *shape), float32=False)
    assert report.dtype == "float64"
    assert report.verdict == ("same" if faithful else "different"), str(report)


@pytest.mark.parametrize("faithful", [True, False])
def test_pytorch_may_take_images_channels_last(keras: Any, faithful: bool) -> None:
    """A model that permutes its images itself gets them as Keras does."""
    layers = keras.layers
    stack = [layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(2)]
    model = fill(keras.Sequential([keras.Input((5, 6, 2)), *stack]))
    axes = (0, 3, 1, 2) if faithful else (0, 3, 2, 1)

    def forward(self: Any, x: Tensor) -> Tensor:
        return self.fc(self.conv(x.permute(axes)).permute(0, 2, 3, 1).flatten(1))

    port = Written(forward, conv=nn.Conv2d(2, 3, 3), fc=nn.Linear(36, 2))
    report = check(model, port, numbers(4, 5, 6, 2), float32=False)
    assert report.verdict == ("same" if faithful else "different")


@pytest.mark.parametrize("scale", [1.0, 1.1])
@pytest.mark.parametrize("columns", [False, True])
def test_outputs_may_lack_an_axis_of_length_1(keras: Any, scale: float, columns: bool) -> None:
    """(N,) and (N, 1) are the same, trained as well; targets have either shape."""
    model = fill(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]))
    port = Written(lambda self, x: (self.fc(x) * scale).squeeze(-1), fc=nn.Linear(4, 1))
    targets = numbers(6, 1) if columns else numbers(6)
    loss = keras.losses.MeanSquaredError(), nn.MSELoss()
    report = check(model, port, numbers(6, 4), targets=targets, loss=loss, float32=False)
    assert report.verdict == ("same" if scale == 1.0 else "different"), str(report)


@pytest.mark.parametrize("later", [False, True])
def test_code_inside_vmap_is_run_as_it_is(keras: Any, later: bool) -> None:
    """Tensors within ``torch.vmap`` have no memory of their own."""
    layers = keras.layers
    keep = np.tril(np.ones((5, 5)), k=0)

    def forward(self: Any, x: Tensor) -> Tensor:
        steps = torch.arange(5)
        rule = torch.vmap(
            torch.vmap(lambda i, j: j < i + (2 if later else 1), (None, 0)), (0, None)
        )
        return rule(steps, steps).to(x.dtype) @ torch.vmap(self.fc)(x)

    mix = layers.Lambda(lambda x: keras.ops.matmul(keep, x) if hasattr(keras, "ops") else keep @ x)
    model = fill(keras.Sequential([keras.Input((5, 3)), layers.Dense(4), mix]))
    report = check(model, Written(forward, fc=nn.Linear(3, 4)), numbers(2, 5, 3), float32=False)
    assert report.verdict == ("different" if later else "same"), str(report)
