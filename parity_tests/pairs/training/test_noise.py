"""Noise and dropout that are not plain: both sides draw the same, however a port writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.adapters.calls import Call
from parity.adapters.trainer import Batch, RunOptions, TrainingRun
from parity.pairs.causes.training.dropout import find_noise
from parity.pairs.check import check
from parity.pairs.training import runs
from parity.reference.layers import dropout, merging
from parity_tests.pairs.zoo.building import Net, filled
from parity_tests.support.selection import first_of_each
from torch_impl import nn as keras_nn

S = 0.2
RATE = S**2 / (1 + S**2)
IMAGES = np.random.default_rng(0).normal(size=(4, 6, 6, 3))
CLASSES = np.random.default_rng(1).integers(0, 3, 4)

ADDED: dict[str, Callable[[Tensor], Tensor]] = {
    "like the input": lambda x: x + S * torch.randn_like(x),
    "noise first": lambda x: torch.randn_like(x) * S + x,
    "of the input's shape": lambda x: x + torch.randn(x.shape) * S,
    "of its sizes": lambda x: x + torch.randn(*x.size(), dtype=x.dtype) * S,
    "with a deviation": lambda x: x + torch.normal(0.0, S, x.shape),
    "of a distribution": lambda x: x + torch.distributions.Normal(0.0, S).sample(x.shape),
    "filled in": lambda x: x + torch.empty_like(x).normal_(0.0, S),
    "in place": lambda x: torch.randn_like(x).mul_(S).add_(x),
    "by a factor": lambda x: torch.add(x, torch.randn_like(x), alpha=S),
    "a module": keras_nn.GaussianNoise(S).forward,
}
MULTIPLIED: dict[str, Callable[[Tensor], Tensor]] = {
    "around one": lambda x: x * (1 + S * torch.randn_like(x)),
    "with a mean": lambda x: torch.normal(1.0, S, x.shape) * x,
    "as a share": lambda x: x + x * torch.randn_like(x) * S,
    "a module": keras_nn.GaussianDropout(RATE).forward,
}
ALPHA: dict[str, Callable[[Tensor], Tensor]] = {
    "a function": lambda x: F.alpha_dropout(x, 0.3, True),
    "a module": nn.AlphaDropout(0.3).forward,
    "in place": lambda x: F.alpha_dropout(x.clone(), 0.3, True, inplace=True),
}
WHOLE: dict[str, Callable[[Tensor], Tensor]] = {
    "a function": lambda x: F.feature_alpha_dropout(x, 0.3, True),
    "a module": nn.FeatureAlphaDropout(0.3).forward,
}
KEEP = 0.7
DROPPED: dict[str, Callable[[Tensor], Tensor]] = {
    "filled in": lambda x: x * torch.empty_like(x).bernoulli_(KEEP) / KEEP,
    "of chances": lambda x: torch.bernoulli(torch.full_like(x, KEEP)) * x / KEEP,
    "of a distribution": lambda x: x * torch.distributions.Bernoulli(KEEP).sample(x.shape) / KEEP,
    "above": lambda x: x * (torch.rand_like(x) >= 1 - KEEP) / KEEP,
    "below": lambda x: torch.where(torch.rand(x.shape) < KEEP, x / KEEP, 0.0),
    "what goes": lambda x: x * (1 - torch.bernoulli(torch.full_like(x, 1 - KEEP))) / KEEP,
    "filled with zeros": lambda x: x.masked_fill(torch.rand_like(x) < 1 - KEEP, 0.0) / KEEP,
    "between": lambda x: x * (torch.empty_like(x).uniform_(-1, 1) >= 1 - 2 * KEEP) / KEEP,
}
HALF: dict[str, Callable[[Tensor], Tensor]] = {
    "by default": lambda x: x * torch.empty_like(x).bernoulli_() / 0.5,
    "below": lambda x: x * (torch.rand_like(x) < 0.5) / 0.5,
    "of an initializer": lambda x: (
        x * (nn.init.uniform_(torch.empty_like(x), a=-1, b=1) >= 0) / 0.5
    ),
    "into a tensor": lambda x: x * (torch.rand(x.shape, out=torch.empty_like(x)) >= 0.5) / 0.5,
}
DEPTH: dict[str, Callable[[Tensor], Tensor]] = {
    "bernoulli": lambda x: x * x.new_empty((len(x), 1, 1, 1)).bernoulli_(KEEP).div_(KEEP),
    "floor": lambda x: x.div(KEEP) * (KEEP + torch.rand((len(x), 1, 1, 1))).floor_(),
}
CHANNELS: dict[str, Callable[[Tensor], Tensor]] = {
    "bernoulli": lambda x: x * x.new_empty((*x.shape[:2], 1, 1)).bernoulli_(KEEP) / KEEP,
}
LAYERS: dict[str, tuple[Callable[[Any], Any], dict[str, Callable[[Tensor], Tensor]]]] = {
    "GaussianNoise": (lambda L: L.GaussianNoise(S, name="noise"), ADDED),
    "GaussianDropout": (lambda L: L.GaussianDropout(RATE, name="noise"), MULTIPLIED),
    "AlphaDropout": (lambda L: L.AlphaDropout(0.3, name="noise"), ALPHA),
    "AlphaDropout of channels": (
        lambda L: L.AlphaDropout(0.3, noise_shape=(4, 1, 1, 4), name="noise"),
        WHOLE,
    ),
    "Dropout": (lambda L: L.Dropout(1 - KEEP, name="noise"), DROPPED),
    "Dropout of half": (lambda L: L.Dropout(0.5, name="noise"), HALF),
    "Dropout of examples": (
        lambda L: L.Dropout(1 - KEEP, noise_shape=(None, 1, 1, 1), name="noise"),
        DEPTH,
    ),
    "SpatialDropout2D": (lambda L: L.SpatialDropout2D(1 - KEEP, name="noise"), CHANNELS),
}
WAYS = [(layer, way) for layer, (_, ways) in LAYERS.items() for way in ways]

pytestmark = pytest.mark.flavour


def compared(keras: Any, layer: Callable[[Any], Any], noise: Callable[[Tensor], Tensor]) -> Any:
    """The report of a small CNN with noise on a map as wide as it is high and deep."""
    L = keras.layers
    stack = [L.Conv2D(4, 3, name="conv"), layer(L), L.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((6, 6, 3)), *stack, L.Dense(3, name="classes")])

    def run(self: Any, x: Tensor) -> Any:
        x = self.conv(x)
        return self.classes((noise(x) if self.training else x).mean((2, 3)))

    module = Net(run, conv=nn.Conv2d(3, 4, 3), classes=nn.Linear(4, 3))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rules = {"loss": loss, "optimizer": "sgd", "steps": 2}
    return check(filled(model), module, IMAGES, targets=CLASSES, **rules)


@pytest.mark.parametrize(
    ("layer", "way"), first_of_each(WAYS, lambda *way: way, lambda layer, _: layer)
)
def test_a_faithful_port_trains_alike(layer: str, way: str, keras: Any) -> None:
    """However it is written: the same numbers are drawn at every step."""
    build, ways = LAYERS[layer]
    report = compared(keras, build, ways[way])
    assert report.verdict == "same", str(report)
    assert not report.causes
    assert not any("its own random numbers" in note for note in report.notes)
    assert {one.rung for one in report.float32} == {"forward_eval", "gradients"}
    assert all(one.observed <= one.allowed for one in report.float32)


@pytest.mark.parametrize("layer", LAYERS)
def test_numbers_that_are_not_shared_part(
    layer: str, keras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else sharing them would prove nothing."""

    def unshared(batch: Batch, keras: TrainingRun, torch: TrainingRun, *_: Any) -> Batch:
        options = (
            RunOptions(names=tuple(f"{side}/{place}" for place in range(len(run.random_calls))))
            for run, side in ((keras, "keras"), (torch, "torch"))
        )
        return replace(batch, keras_options=next(options), torch_options=next(options))

    monkeypatch.setattr(runs, "match_draws", unshared)
    torch.manual_seed(0)
    build, ways = LAYERS[layer]
    report = compared(keras, build, next(iter(ways.values())))
    assert report.verdict == "different"
    assert report.first_divergence.rung == "forward_train"


def test_noise_after_noise_is_told_apart(keras: Any) -> None:
    """Two layers of other deviations, and only the second is another's."""
    L = keras.layers
    stack = [L.GaussianNoise(0.1, name="first"), L.Dense(5, activation="tanh", name="a")]
    stack += [L.GaussianNoise(0.2, name="second"), L.Dense(3, name="b")]
    model = keras.Sequential([keras.Input((6,)), *stack])

    def run(self: Any, x: Tensor) -> Any:
        first, second = (0.1, 0.3) if self.training else (0.0, 0.0)
        x = torch.tanh(self.a(x + first * torch.randn_like(x)))
        return self.b(x + second * torch.randn_like(x))

    module = Net(run, a=nn.Linear(6, 5), b=nn.Linear(5, 3))
    x = np.random.default_rng(2).normal(size=(4, 6))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    report = check(filled(model), module, x, targets=CLASSES, loss=loss)
    assert [(one.id, one.layer, one.keras, one.torch) for one in report.causes] == [
        ("noise.stddev", "second", 0.2, 0.3)
    ], str(report)


Z = np.random.default_rng(3).normal(size=(3, 4))
HERE = np.random.default_rng(4).normal(size=(3, 4))


def call(config: Any, *inputs: np.ndarray) -> Call:
    """One of a function."""
    given: dict[str, Any] = {"config": config, "weights": {}, "inputs": inputs, "output": HERE}
    return Call(number=0, name="add", kind="add", sources=(None, None), **given)


@pytest.mark.parametrize(
    ("config", "inputs", "found"),
    [
        (merging.Add(), (HERE, 0.25 * Z), dropout.GaussianNoise(stddev=0.25)),
        (merging.Add(), (-0.25 * Z, HERE), dropout.GaussianNoise(stddev=-0.25)),
        (merging.Multiply(), (1 + 0.5 * Z, HERE), dropout.GaussianDropout(rate=0.2)),
        (merging.Add(), (HERE, 1 + 0.25 * Z), None),
        (merging.Add(), (HERE, 0.25 * Z[:, :1]), None),
        (merging.Multiply(), (HERE, 0.25 * Z), None),
        (merging.Add(), (HERE, 0.25 * Z**2), None),
        (merging.Maximum(), (HERE, 0.25 * Z), None),
    ],
    ids=str,
)
def test_noise_is_what_is_made_of_the_numbers_drawn(
    config: Any, inputs: tuple[np.ndarray, ...], found: Any
) -> None:
    """A sum with a multiple of them, a product with one plus a multiple, and nothing else."""
    one = find_noise([call(config, *inputs)], 0, Z)
    assert (one.config if one else None) == found
    assert find_noise([call(config, *inputs)], 1, Z) is None


Masks = tuple[Callable[[Tensor], Tensor], ...]
BELOW = lambda x: x * (torch.rand_like(x) < 0.7) / 0.7  # noqa: E731
ABOVE = lambda x: x * torch.floor(0.6 + torch.rand_like(x)) / 0.6  # noqa: E731
BY_HAND: dict[str, tuple[Masks, list[tuple[Any, ...]]]] = {
    "one below and one above": ((BELOW, ABOVE), []),
    "one is missing": ((BELOW, lambda x: x), [("dropout.rate", "second", 0.4, "none")]),
    "one has another rate": (
        (BELOW, lambda x: F.dropout(x, 0.1, True)),
        [("dropout.rate", "second", 0.4, 0.1)],
    ),
}
"""Masks in the place of Dropout(0.3) and Dropout(0.4), and what causes a difference."""


@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize("name", BY_HAND)
def test_masks_by_hand_are_looked_at_each(name: str, seed: int, keras: Any) -> None:
    """Each in its own direction, and none is called a layer that is missing."""
    (first, second), causes = BY_HAND[name]
    L = keras.layers
    stack = [L.Dense(8, name="a"), L.Dropout(0.3, name="first"), L.Dense(5, name="b")]
    stack += [L.Dropout(0.4, name="second"), L.Dense(3, name="c")]
    model = filled(keras.Sequential([keras.Input((6,)), *stack]))

    def run(self: Any, x: Tensor) -> Any:
        drop = (first, second) if self.training else (lambda y: y,) * 2
        return self.c(drop[1](self.b(drop[0](self.a(x)))))

    module = Net(run, a=nn.Linear(6, 8), b=nn.Linear(8, 5), c=nn.Linear(5, 3))
    x = np.random.default_rng(2).normal(size=(4, 6))
    given = {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "seed": seed}
    report = check(model, module, x, targets=CLASSES, **given)
    found = [(one.id, one.layer, one.keras, one.torch) for one in report.causes]
    assert found == causes, str(report)


def frozen(x: Tensor) -> Tensor:
    """The same mask at every step."""
    numbers = torch.rand(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    return x * (numbers >= 0.3) / 0.7


def kept() -> Callable[[Tensor], Tensor]:
    """A mask that is drawn once."""
    masks: list[Tensor] = []

    def drop(x: Tensor) -> Tensor:
        masks.append(torch.rand_like(x) if not masks else masks[0])
        return x * (masks[0] >= 0.3) / 0.7

    return drop


UNLIKE: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "seeded anew": (frozen, 4),
    "drawn once": (kept(), 4),
    "one for all examples": (lambda x: x * (torch.rand(x.shape[1]) >= 0.3) / 0.7, 1),
    "one number": (lambda x: x * (torch.rand(1) >= 0.3) / 0.7, 1),
}
"""Masks that are no dropout, and of how many examples."""


@pytest.mark.parametrize("name", UNLIKE)
def test_masks_that_are_no_dropout_part(name: str, keras: Any) -> None:
    """Shared numbers do not make them one."""
    drop, examples = UNLIKE[name]
    stack = [keras.layers.Dropout(0.3, name="noise"), keras.layers.Dense(3, name="dense")]
    model = filled(keras.Sequential([keras.Input((6,)), *stack]))

    def run(self: Any, x: Tensor) -> Any:
        return self.dense(drop(x) if self.training else x)

    x = np.random.default_rng(2).normal(size=(examples, 6))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    torch.manual_seed(0)
    module = Net(run, dense=nn.Linear(6, 3))
    report = check(model, module, x, targets=CLASSES[:examples], loss=loss)
    assert report.verdict == "different", str(report)
    assert report.first_divergence.rung in ("forward_train", "loss")


@pytest.mark.parametrize("side", ["Keras", "PyTorch"])
def test_draws_that_cannot_be_shared_are_told(side: str, keras: Any) -> None:
    """What draws for itself in training is named as that, and by the first layer that shows it."""
    import tensorflow as tf

    class Own(keras.layers.Layer):  # type: ignore[misc]
        """More of some examples than of others."""

        def call(self, x: Any, training: Any = None) -> Any:
            """Map (N, H, W, C) to itself."""
            own = tf.random.uniform((4, 1, 1, 1), dtype=x.dtype)
            return x + own * x if training and side == "Keras" else x

    def own(x: Tensor) -> Tensor:
        return x + torch.empty(4, 1, 1, 1).exponential_() * x

    report = compared(keras, lambda L: Own(name="own"), own if side == "PyTorch" else lambda x: x)
    assert report.verdict == "different"
    told = [note for note in report.notes if "its own random numbers in training" in note]
    assert len(told) == 1, str(report)
    assert told[0].startswith(side)
