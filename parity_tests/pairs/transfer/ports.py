"""Keras models and their ports, which hold some weights by other names or in other shapes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

WORDS = np.random.default_rng(2).integers(0, 11, (3, 5))
STEPS = np.random.default_rng(3).normal(size=(3, 5, 8))
MAPS = np.random.default_rng(4).normal(size=(2, 6, 5, 3))


def layer_of(keras: Any, shapes: dict[str, tuple[int, ...]], call: Any) -> Any:
    """A user's own layer with these weights; ``call`` takes the layer and the input."""

    class Own(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            for name, size in shapes.items():
                setattr(self, name, self.add_weight(name=name, shape=size, initializer="normal"))
            super().build(shape)

        def call(self, x: Any) -> Any:
            return call(self, x)

    return Own


class Net(nn.Module):
    """A module of parts and parameters, and what it computes."""

    def __init__(self, run: Callable[[Any, Tensor], Tensor], **parts: Any) -> None:
        super().__init__()
        for name, one in parts.items():
            setattr(self, name, nn.Parameter(one) if isinstance(one, Tensor) else one)
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        """Map a batch to its outputs."""
        return self.run(self, x)


class Norm(nn.Module):
    """A layer norm by hand."""

    def __init__(self, size: int, names: tuple[str, str], epsilon: float) -> None:
        super().__init__()
        self.names, self.epsilon = names, epsilon
        setattr(self, names[0], nn.Parameter(torch.ones(size)))
        setattr(self, names[1], nn.Parameter(torch.zeros(size)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, T, C) to (N, T, C)."""
        gain, shift = (getattr(self, name) for name in self.names)
        y = x - x.mean(-1, keepdim=True)
        y = y / torch.sqrt((y * y).mean(-1, keepdim=True) + self.epsilon)
        return y * gain + shift


@dataclass(frozen=True)
class Port:
    """A pair: both models, inputs, and a faulty sibling of the PyTorch model."""

    keras: Callable[[Any], Any]
    torch: Callable[[], nn.Module]
    faulty: Callable[[], nn.Module]
    x: np.ndarray


def _stack(keras: Any, shape: tuple[int, ...], *layers: Any, **options: Any) -> Any:
    x = keras.Input(shape, **options)
    y = x
    for layer in layers:
        y = layer(y)
    return keras.Model(x, y)


def _table(keras: Any) -> Any:
    import tensorflow as tf

    own = layer_of(keras, {"matrix": (11, 8)}, lambda self, x: tf.gather(self.matrix, x))
    return _stack(keras, (5,), own(name="words"), keras.layers.Dense(3), dtype="int32")


def _scaled_table(keras: Any) -> Any:
    import tensorflow as tf

    own = layer_of(
        keras, {"embeddings": (11, 8)}, lambda self, x: tf.gather(self.embeddings, x) * 8**0.5
    )
    return _stack(keras, (5,), own(name="words"), keras.layers.Dense(3), dtype="int32")


def _norm(keras: Any) -> Any:
    layers = keras.layers
    norm = layers.LayerNormalization(epsilon=1e-3, name="norm")
    return _stack(keras, (5, 8), layers.Dense(8), norm, layers.Dense(3))


def _channel_scale(keras: Any) -> Any:
    own = layer_of(keras, {"w": (4,)}, lambda self, x: x * self.w)
    layers = keras.layers
    return _stack(keras, (6, 5, 3), layers.Conv2D(4, 3), own(name="scale"), layers.Conv2D(2, 1))


def _affine(keras: Any) -> Any:
    own = layer_of(keras, {"a": (8,), "b": (8,)}, lambda self, x: x * self.a + self.b)
    layers = keras.layers
    return _stack(keras, (5, 8), layers.Dense(8), own(name="affine"), layers.Dense(3))


def _own_dense(keras: Any) -> Any:
    own = layer_of(keras, {"mixing": (8, 8)}, lambda self, x: x @ self.mixing)
    layers = keras.layers
    return _stack(keras, (5, 8), own(name="mix"), layers.Activation("tanh"), layers.Dense(3))


def _attention(keras: Any) -> Any:
    layers = keras.layers
    x = keras.Input((5, 8))
    y = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    return keras.Model(x, layers.Dense(3)(layers.Add()([x, y])))


def _heads(x: Tensor) -> Tensor:
    return x.unflatten(-1, (2, 4)).transpose(1, 2)


def _joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def _attend(q: Tensor, k: Tensor, v: Tensor, scale: float = 0.5) -> Tensor:
    return _joined(torch.softmax(q @ k.transpose(-1, -2) * scale, -1) @ v)


def _separate(scale: float = 0.5) -> nn.Module:
    def run(net: Any, x: Tensor) -> Tensor:
        y = _attend(*(_heads(one(x)) for one in (net.b, net.c, net.a)), scale)
        return net.head(x + net.d(y))

    return Net(run, **{name: nn.Linear(8, 8) for name in "abcd"}, head=nn.Linear(8, 3))


def _packed(scale: float = 0.5) -> nn.Module:
    def run(net: Any, x: Tensor) -> Tensor:
        y = _attend(*(_heads(one) for one in net.qkv(x).chunk(3, -1)), scale)
        return net.head(x + net.proj(y))

    return Net(run, qkv=nn.Linear(8, 24), proj=nn.Linear(8, 8), head=nn.Linear(8, 3))


def _packed_by_head(scale: float = 0.5) -> nn.Module:
    def run(net: Any, x: Tensor) -> Tensor:
        parts = net.qkv(x).unflatten(-1, (2, 3, 4)).transpose(1, 2).unbind(3)
        return net.head(x + net.proj(_attend(*parts, scale)))

    return Net(run, qkv=nn.Linear(8, 24), proj=nn.Linear(8, 8), head=nn.Linear(8, 3))


def _sdpa(scale: float | None = None) -> nn.Module:
    def run(net: Any, x: Tensor) -> Tensor:
        y = F.scaled_dot_product_attention(
            *(_heads(one(x)) for one in (net.query, net.key, net.value)), scale=scale
        )
        return net.head(x + net.out(_joined(y)))

    parts = {name: nn.Linear(8, 8) for name in ("query", "key", "value", "out")}
    return Net(run, **parts, head=nn.Linear(8, 3))


def _norm_port(names: tuple[str, str], epsilon: float) -> nn.Module:
    parts = {"a": nn.Linear(8, 8), "n": Norm(8, names, epsilon), "b": nn.Linear(8, 3)}
    return Net(lambda net, x: net.b(net.n(net.a(x))), **parts)


def _scale_port(shape: tuple[int, ...], power: int) -> nn.Module:
    parts = {"a": nn.Conv2d(3, 4, 3), "gain": torch.randn(shape), "b": nn.Conv2d(4, 2, 1)}
    return Net(lambda net, x: net.b(net.a(x) * net.gain.view(1, 4, 1, 1) ** power), **parts)


def _affine_port(run: Callable[[Any, Tensor], Tensor]) -> nn.Module:
    parts = {"p": nn.Linear(8, 8), "q": nn.Linear(8, 3)}
    return Net(run, **parts, second=torch.randn(8), first=torch.randn(8))


def _mixing_port(run: Callable[[Any, Tensor], Tensor]) -> nn.Module:
    return Net(run, weight=torch.randn(8, 8), out=nn.Linear(8, 3))


def _table_port(factor: float) -> nn.Module:
    parts = {"lookup": nn.Embedding(11, 8), "out": nn.Linear(8, 3)}
    return Net(lambda net, x: net.out(net.lookup(x) * factor), **parts)


PORTS = {
    "table": Port(_table, lambda: _table_port(1.0), lambda: _table_port(1.1), WORDS),
    "scaled table": Port(
        _scaled_table, lambda: _table_port(math.sqrt(8)), lambda: _table_port(1.0), WORDS
    ),
    "norm": Port(
        _norm,
        lambda: _norm_port(("weight", "bias"), 1e-3),
        lambda: _norm_port(("weight", "bias"), 1e-5),
        STEPS,
    ),
    "norm of other names": Port(
        _norm,
        lambda: _norm_port(("b_2", "a_2"), 1e-3),
        lambda: _norm_port(("gain", "bias"), 1e-5),
        STEPS,
    ),
    "scale of a map": Port(
        _channel_scale,
        lambda: _scale_port((4, 1, 1), 1),
        lambda: _scale_port((1, 4, 1, 1), 2),
        MAPS,
    ),
    "affine": Port(
        _affine,
        lambda: _affine_port(lambda net, x: net.q(net.p(x) * net.first + net.second)),
        lambda: nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 3)),
        STEPS,
    ),
    "kernel": Port(
        _own_dense,
        lambda: _mixing_port(lambda net, x: net.out(torch.tanh(x @ net.weight))),
        lambda: _mixing_port(lambda net, x: net.out(torch.sigmoid(x @ net.weight))),
        STEPS,
    ),
    "transposed kernel": Port(
        _own_dense,
        lambda: _mixing_port(
            lambda net, x: net.out(torch.tanh(torch.einsum("nti,oi->nto", x, net.weight)))
        ),
        lambda: _mixing_port(lambda net, x: net.out(torch.einsum("nti,oi->nto", x, net.weight))),
        STEPS,
    ),
    "attention": Port(_attention, _sdpa, lambda: _sdpa(1.0), STEPS),
    "attention of other names": Port(_attention, _separate, lambda: _separate(1.0), STEPS),
    "packed attention": Port(_attention, _packed, lambda: _packed(1.0), STEPS),
    "attention packed by head": Port(
        _attention, _packed_by_head, lambda: _packed_by_head(1.0), STEPS
    ),
}
