"""Training of pairs that return maps, which Keras has channels last and PyTorch channels first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.pairs.check import check
from parity_tests.pairs.zoo.building import Net, filled
from parity_tests.support.selection import first_of_each

pytestmark = pytest.mark.flavour

WIDE, CUBE, PADS_TO_CUBE = (2, 6, 5, 3), (4, 4, 4, 4), (6, 4, 4, 6)
RNG = np.random.default_rng(0)


def classes(shape: tuple[int, ...]) -> np.ndarray:
    """A class for every pixel."""
    return np.random.default_rng(1).integers(0, shape[-1], shape[:-1])


def shares(shape: tuple[int, ...]) -> np.ndarray:
    """A share of every class for every pixel."""
    numbers = np.random.default_rng(2).random(shape)
    return np.asarray(numbers / numbers.sum(-1, keepdims=True))


def either(shape: tuple[int, ...]) -> np.ndarray:
    """Zero or one for every pixel."""
    return np.random.default_rng(3).integers(0, 2, (*shape[:-1], 1)).astype(float)


def numbers(shape: tuple[int, ...]) -> np.ndarray:
    """Another map."""
    return np.random.default_rng(4).normal(size=shape)


def pair(keras: Any, shape: tuple[int, ...], depth: int, *end: Any) -> tuple[Any, nn.Module]:
    """Two convolutions and dropout between them; the last layer gives the map."""
    L = keras.layers
    body = [L.Conv2D(4, 3, padding="same", activation="tanh", name="a"), L.Dropout(0.2, name="d")]
    stack = [keras.Input(shape[1:]), *body, L.Conv2D(depth, 1, name="head"), *end]
    parts = (
        nn.Conv2d(shape[-1], 4, 3, padding=1),
        nn.Tanh(),
        nn.Dropout(0.2),
        nn.Conv2d(4, depth, 1),
    )
    return filled(keras.Sequential(stack)), nn.Sequential(*parts)


Losses = Callable[[Any], Any]


def own(kind: str, function: Callable[..., Any], **given: Any) -> Losses:
    return lambda keras: (getattr(keras.losses, kind)(**given), function)


def shared(kind: str, **given: Any) -> Losses:
    return lambda keras: getattr(keras.losses, kind)(**given)


def turned(x: Tensor) -> Tensor:
    return x.movedim(1, -1)


SPARSE, SHARES, BINARY = (
    "SparseCategoricalCrossentropy",
    "CategoricalCrossentropy",
    "BinaryCrossentropy",
)
FAITHFUL: dict[str, tuple[Losses, Callable[..., np.ndarray]]] = {
    "classes, Keras's": (shared(SPARSE, from_logits=True), classes),
    "classes": (own(SPARSE, F.cross_entropy, from_logits=True), classes),
    "shares, Keras's": (shared(SHARES, from_logits=True), shares),
    "shares": (own(SHARES, nn.CrossEntropyLoss(), from_logits=True), shares),
    "one class, Keras's": (shared(BINARY, from_logits=True), either),
    "one class": (own(BINARY, nn.BCEWithLogitsLoss(), from_logits=True), either),
    "numbers, Keras's": (shared("MeanSquaredError"), numbers),
    "numbers": (own("MeanSquaredError", F.mse_loss), numbers),
    "numbers, by hand": (own("MeanSquaredError", lambda o, y: (o - y).square().mean()), numbers),
    "numbers, turned": (own("MeanSquaredError", lambda o, y: F.mse_loss(turned(o), y)), numbers),
    "one class, turned": (
        own(
            BINARY,
            lambda o, y: F.binary_cross_entropy_with_logits(turned(o), y),
            from_logits=True,
        ),
        either,
    ),
}


@pytest.mark.parametrize(
    ("name", "shape"),
    first_of_each(
        [
            *((name, WIDE) for name in FAITHFUL),
            *((name, CUBE) for name in FAITHFUL if not name.endswith("turned")),
        ],
        lambda *row: row,
        lambda name, shape: (name.partition(", ")[2], shape),
        lambda name, shape: f"{name}-{shape}",
    ),
)
def test_a_faithful_pair_trains_alike(name: str, shape: tuple[int, ...], keras: Any) -> None:
    """Forward, loss, gradients and steps, whether shapes tell how a map lies or not."""
    losses, targets = FAITHFUL[name]
    y = targets(shape)
    model, module = pair(keras, shape, 1 if y.shape[-1] == 1 else shape[-1])
    rules = {"loss": losses(keras), "optimizer": "adam", "steps": 3}
    report = check(model, module, RNG.normal(size=shape), targets=y, **rules)
    assert report.verdict == "same", str(report)
    assert report.causes == ()
    assert {"loss", "gradients", "steps"} <= {one.name for one in report.rungs}
    assert {one.rung for one in report.float32} == {"forward_eval", "gradients"}
    assert all(one.observed <= one.allowed for one in report.float32)


FAULTS: dict[str, tuple[Losses, Callable[..., np.ndarray], str]] = {
    "summed": (
        own(SPARSE, nn.CrossEntropyLoss(reduction="sum"), from_logits=True),
        classes,
        "loss.reduction",
    ),
    "summed over pixels": (
        own(
            SPARSE,
            lambda o, y: F.cross_entropy(o, y, reduction="sum") / len(o),
            from_logits=True,
        ),
        classes,
        "loss.reduction",
    ),
    "smoothed": (
        own(SHARES, nn.CrossEntropyLoss(label_smoothing=0.1), from_logits=True),
        shares,
        "loss.label_smoothing",
    ),
    "absolute": (own("MeanSquaredError", nn.L1Loss()), numbers, "loss.kind"),
    "of rows": (
        own(SPARSE, lambda o, y: F.cross_entropy(o.transpose(2, 3), y), from_logits=True),
        classes,
        "unknown",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_loss_is_named(name: str, keras: Any) -> None:
    """Of maps as of vectors."""
    losses, targets, cause = FAULTS[name]
    shape = CUBE
    model, module = pair(keras, shape, shape[-1])
    x = RNG.normal(size=shape)
    report = check(model, module, x, targets=targets(shape), loss=losses(keras), optimizer="sgd")
    assert report.verdict == "different"
    assert report.first_divergence.rung == "loss", str(report)
    assert [one.id for one in report.causes] == [cause]


def keras_first(keras: Any) -> Any:
    """A loss of channels first outputs."""
    import tensorflow as tf

    loss = keras.losses.sparse_categorical_crossentropy
    return lambda y, x: loss(y, tf.transpose(x, (0, 2, 3, 1)), from_logits=True)


@pytest.mark.parametrize("kind", ["classes", "numbers", "numbers, Keras's"])
@pytest.mark.parametrize("rate", [0.2, 0.4])
def test_outputs_may_be_channels_first_on_both_sides(kind: str, rate: float, keras: Any) -> None:
    """Where Keras turns its output round, neither output nor targets are; a fault still shows."""
    model, module = pair(keras, WIDE, 3, keras.layers.Permute((3, 1, 2)))
    module[2].p = rate
    y, loss = classes(WIDE), (keras_first(keras), F.cross_entropy)
    if kind != "classes":
        y = np.moveaxis(numbers(WIDE), -1, 1)
        loss = "mse" if kind.endswith("Keras's") else ("mse", nn.MSELoss())
    rules = {"loss": loss, "optimizer": "adam", "steps": 3}
    report = check(model, module, RNG.normal(size=WIDE), targets=y, **rules)
    assert report.verdict == ("same" if rate == 0.2 else "different"), str(report)
    assert [one.id for one in report.causes] == ([] if rate == 0.2 else ["dropout.rate"])


@pytest.mark.parametrize("shape", [WIDE, PADS_TO_CUBE], ids=str)
@pytest.mark.parametrize("own", [True, False])
def test_a_keras_model_of_the_other_data_format_trains_alike(
    own: bool, shape: tuple[int, ...], keras: Any, flavour: str
) -> None:
    """What TensorFlow has of it on a CPU; its inputs and targets are PyTorch's."""
    L = keras.layers
    drops = [L.SpatialDropout2D(0.3, data_format="channels_first"), L.Dropout(0.3)]
    stack = [L.ZeroPadding2D(1, data_format="channels_first")]
    stack += [L.BatchNormalization(axis=1, name="norm"), L.Activation("tanh"), *drops]
    model = filled(keras.Sequential([keras.Input((*shape[-1:], *shape[1:-1])), *stack]))
    x = np.moveaxis(numbers(shape), -1, 1)
    y = np.pad(np.moveaxis(shares(shape), -1, 1), [(0, 0), (0, 0), (1, 1), (1, 1)])
    norm = nn.BatchNorm2d(shape[-1], eps=1e-3, momentum=0.01)
    module = nn.Sequential(nn.ZeroPad2d(1), norm, nn.Tanh(), nn.Dropout2d(0.3), nn.Dropout(0.3))
    loss = ("mse", nn.MSELoss()) if own else "mse"
    rules = {"targets": y, "loss": loss, "optimizer": "sgd", "steps": 1}
    report = check(model, module, x, torch_inputs=x, **rules)
    usual = ["batch_norm.running_variance"] if flavour == "keras3" else []
    assert [one.id for one in report.causes] == usual, str(report)
    assert report.verdict == ("different" if usual else "same")


def test_a_denoising_autoencoder_trains_alike(keras: Any) -> None:
    """Noise on the image, a step down and one up, and the image itself as the target."""
    L = keras.layers
    down = L.Conv2D(4, 3, strides=2, activation="relu", padding="same", name="down")
    up = L.Conv2DTranspose(3, 2, strides=2, name="up")
    stack = [L.GaussianNoise(0.1, name="noise"), down, up, L.Activation("sigmoid")]
    model = filled(keras.Sequential([keras.Input((6, 6, 3)), *stack]))

    def run(self: Any, x: Tensor) -> Any:
        if self.training:
            x = x + 0.1 * torch.randn_like(x)
        return torch.sigmoid(self.up(torch.relu(self.down(F.pad(x, (0, 1, 0, 1))))))

    module = Net(run, down=nn.Conv2d(3, 4, 3, 2), up=nn.ConvTranspose2d(4, 3, 2, 2))
    x = np.random.default_rng(5).random((2, 6, 6, 3))
    for loss in ("mse", ("mse", nn.MSELoss())):
        report = check(model, module, x, targets=x, loss=loss, optimizer="adam", steps=3)
        assert report.verdict == "same", str(report)
