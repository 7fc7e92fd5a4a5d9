"""Whole model pairs: PyTorch options inject a fault into a faithful port."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Pair:
    """Builders of both models, and their inputs.

    Attributes:
        keras: a function of the Keras package that builds the model.
        torch: a function of the changed options that builds the port.
        inputs: returns the Keras inputs.
    """

    keras: Callable[[Any], Any]
    torch: Callable[..., nn.Module]
    inputs: Callable[[], list[np.ndarray]]


def fill(model: Any, spread: float = 0.4) -> Any:
    """Give a Keras model random weights; vectors (variances among them) are positive."""
    numbers = np.random.default_rng(0)
    model.set_weights(
        [
            (np.abs(value) + 0.5 if value.ndim == 1 else value).astype(np.float32)
            for weight in model.get_weights()
            for value in [numbers.normal(0, spread, weight.shape)]
        ]
    )
    return model


def options(usual: dict[str, Any], changed: dict[str, Any]) -> types.SimpleNamespace:
    """The options of the faithful port, some of them changed.

    Raises:
        KeyError: there is no such option.
    """
    for name in changed:
        usual[name]
    return types.SimpleNamespace(**{**usual, **changed})


def images() -> list[np.ndarray]:
    """Four images of 8 × 8 pixels and 3 channels."""
    return [np.random.default_rng(1).normal(size=(4, 8, 8, 3))]


def keras_cnn(keras: Any) -> Any:
    """A functional CNN with two convolutions."""
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="act")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.LeakyReLU(name="leaky")(x)
    x = layers.AveragePooling2D(2, name="pool")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(5, activation="gelu", name="hidden")(x)
    x = layers.Dropout(0.5, name="drop")(x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="classes")(x))


class Cnn(nn.Module):
    """The port."""

    USUAL: ClassVar[dict[str, Any]] = {
        "stem_padding": (0, 1, 0, 1),
        "epsilon": 1e-3,
        "momentum": 0.01,
        "act": "relu",
        "norm_first": True,
        "slope": 0.3,
        "pool": "average",
        "gelu": "none",
        "rate": 0.5,
        "softmax": True,
    }

    def __init__(self, **changed: Any) -> None:
        super().__init__()
        self.o = options(self.USUAL, changed)
        self.features = nn.ModuleDict(
            {
                "conv": nn.Conv2d(3, 6, 3, stride=2, bias=False),
                "bn": nn.BatchNorm2d(6, eps=self.o.epsilon, momentum=self.o.momentum),
                "dw": nn.Conv2d(6, 6, 3, padding=1, groups=6),
            }
        )
        self.fc1, self.fc2 = nn.Linear(24, 5), nn.Linear(5, 4)
        self.dropout = nn.Dropout(self.o.rate)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (N, 4) of images (N, C, H, W)."""
        x = self.features["conv"](F.pad(x, self.o.stem_padding))
        if self.o.norm_first:
            x = self.act(self.features["bn"](x))
        else:
            x = self.features["bn"](self.act(x))
        x = F.leaky_relu(self.features["dw"](x), self.o.slope)
        x = (F.max_pool2d if self.o.pool == "max" else F.avg_pool2d)(x, 2)
        x = F.gelu(self.fc1(x.flatten(1)), approximate=self.o.gelu)
        x = self.fc2(self.dropout(x))
        return x.softmax(-1) if self.o.softmax else x

    def act(self, x: Tensor) -> Tensor:
        """The activation after the first convolution."""
        return {"relu": F.relu, "elu": F.elu, "none": nn.Identity()}[self.o.act](x)


def keras_residual(keras: Any) -> Any:
    """Branches that join, and a dense layer that is called twice."""
    layers = keras.layers
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    shared = layers.Dense(6, activation="tanh", name="shared")
    left, right = shared(a), shared(b)
    joined = layers.Concatenate(name="join")([left, right])
    deep = layers.Dense(6, activation="relu", name="deep")(joined)
    total = layers.Add(name="sum")([deep, left])
    normed = layers.LayerNormalization(name="norm")(total)
    return keras.Model(
        [a, b], [layers.Dense(3, name="one")(normed), layers.Dense(2, name="two")(total)]
    )


class Residual(nn.Module):
    """The port."""

    USUAL: ClassVar[dict[str, Any]] = {
        "epsilon": 1e-3,
        "swapped": False,
        "skip": True,
        "tanh": True,
        "relu": True,
    }

    def __init__(self, **changed: Any) -> None:
        super().__init__()
        self.o = options(self.USUAL, changed)
        self.encoder = nn.Linear(6, 6)
        self.mix = nn.Linear(12, 6)
        self.ln = nn.LayerNorm(6, eps=self.o.epsilon)
        self.heads = nn.ModuleList([nn.Linear(6, 3), nn.Linear(6, 2)])

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Two outputs from two inputs (N, 6)."""
        squash = torch.tanh if self.o.tanh else torch.sigmoid
        left, right = squash(self.encoder(a)), squash(self.encoder(b))
        joined = torch.cat((right, left) if self.o.swapped else (left, right), 1)
        deep = self.mix(joined)
        deep = F.relu(deep) if self.o.relu else deep
        total = deep + left if self.o.skip else deep
        return self.heads[0](self.ln(total)), self.heads[1](total)


def keras_text(kind: str, **given: Any) -> Callable[[Any], Any]:
    """Tokens, embedded, through a recurrent layer."""

    def build(keras: Any) -> Any:
        layers = keras.layers
        recurrent = getattr(layers, kind)(5, name="recurrent", **given)
        return keras.Sequential(
            [
                keras.Input((7,), dtype="int32"),
                layers.Embedding(11, 4, name="tokens"),
                recurrent,
                layers.Dense(3, name="classes"),
            ]
        )

    return build


class Text(nn.Module):
    """The port."""

    USUAL: ClassVar[dict[str, Any]] = {"batch_first": True}

    def __init__(self, kind: str, **changed: Any) -> None:
        super().__init__()
        self.o = options(self.USUAL, changed)
        self.embed = nn.Embedding(11, 4)
        self.rnn = getattr(nn, kind)(4, 5, batch_first=self.o.batch_first)
        self.head = nn.Linear(5, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        """Class scores of tokens (N, T)."""
        outputs, _ = self.rnn(self.embed(tokens))
        return self.head(outputs[:, -1])


def keras_attention(keras: Any) -> Any:
    """Self-attention; PyTorch stores its three kernels in one tensor."""
    layers = keras.layers
    sequence = keras.Input((6, 8))
    normed = layers.LayerNormalization(name="norm")(sequence)
    mixed = layers.MultiHeadAttention(2, 4, name="attention")(normed, normed)
    total = layers.Add(name="sum")([sequence, mixed])
    mean = layers.GlobalAveragePooling1D(name="mean")(total)
    return keras.Model(sequence, layers.Dense(3, name="classes")(mean))


class Attention(nn.Module):
    """The port."""

    def __init__(self) -> None:
        super().__init__()
        self.ln = nn.LayerNorm(8, eps=1e-3)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores of sequences (N, T, 8)."""
        normed = self.ln(x)
        mixed, _ = self.attend(normed, normed, normed)
        return self.head((x + mixed).mean(1))


def tokens() -> list[np.ndarray]:
    """Four sequences of seven steps."""
    return [np.random.default_rng(1).integers(0, 11, (4, 7))]


PAIRS = {
    "cnn": Pair(keras_cnn, Cnn, images),
    "residual": Pair(
        keras_residual,
        Residual,
        lambda: list(np.random.default_rng(1).normal(size=(2, 4, 6))),
    ),
    "attention": Pair(
        keras_attention,
        Attention,
        lambda: [np.random.default_rng(1).normal(size=(4, 6, 8))],
    ),
    "lstm": Pair(keras_text("LSTM"), lambda **o: Text("LSTM", **o), tokens),
    "gru": Pair(keras_text("GRU"), lambda **o: Text("GRU", **o), tokens),
    "gru, reset before": Pair(
        keras_text("GRU", reset_after=False), lambda **o: Text("GRU", **o), tokens
    ),
    "rnn": Pair(keras_text("SimpleRNN"), lambda **o: Text("RNN", **o), tokens),
}
"""All pairs; "gru, reset before" has no faithful port."""
