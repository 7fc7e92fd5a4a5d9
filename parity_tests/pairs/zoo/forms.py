"""Faithful pairs by form: branches, shared layers, nested models, custom layers."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from parity_tests.pairs.zoo.building import Kind, Net

ROWS, IMAGE = (3, 6), (2, 8, 8, 3)


def branches(keras: Any) -> Any:
    """Two branches that are joined, with two outputs."""
    L = keras.layers
    x = keras.Input((8, 8, 3))
    a = L.Conv2D(4, 3, padding="same", activation="relu", name="left")(x)
    b = L.Conv2D(4, 1, name="right")(x)
    y = L.Add(name="join")([a, b])
    y = L.Concatenate(name="beside")([y, a])
    y = L.GlobalAveragePooling2D()(y)
    return keras.Model(x, [L.Dense(3, name="first")(y), L.Dense(2, name="second")(y)])


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 1)
        self.heads = nn.ModuleDict({"first": nn.Linear(8, 3), "second": nn.Linear(8, 2)})

    def forward(self, x: Any) -> Any:
        a = F.relu(self.left(x))
        y = torch.cat((a + self.right(x), a), 1).mean((2, 3))
        return self.heads["first"](y), self.heads["second"](y)


def shared(keras: Any) -> Any:
    """One layer applied to two inputs."""
    L = keras.layers
    x, y = keras.Input((6,), name="x"), keras.Input((6,), name="y")
    layer = L.Dense(4, activation="tanh")
    out = L.Dense(2)(L.Multiply()([layer(x), layer(y)]))
    return keras.Model([x, y], out)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(6, 4), nn.Linear(4, 2)

    def forward(self, x: Any, y: Any) -> Any:
        return self.head(torch.tanh(self.layer(x)) * torch.tanh(self.layer(y)))


def block(keras: Any, name: str) -> Any:
    """A submodel whose layers have the same names as those of its siblings."""
    L = keras.layers
    return keras.Sequential(
        [keras.Input((6,)), L.Dense(6, name="dense", activation="relu"), L.Dense(6, name="out")],
        name=name,
    )


def nested(keras: Any) -> Any:
    """Nested models with equal layer names."""
    x = keras.Input((6,))
    y = block(keras, "one")(x)
    z = block(keras, "two")(y)
    return keras.Model(x, keras.layers.Dense(2, name="dense")(keras.layers.Add()([y, z])))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList([nn.Linear(6, 6), nn.Linear(6, 6)])

    def forward(self, x: Any) -> Any:
        return self.parts[1](F.relu(self.parts[0](x), inplace=True))


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.head = Block(), Block(), nn.Linear(6, 2)

    def forward(self, x: Any) -> Any:
        y = self.one(x)
        y = y + self.two(y)
        return self.head(y)


def subclassed(keras: Any) -> Any:
    """Custom layers that contain layers, with functions between them."""
    L, tf = keras.layers, __import__("tensorflow")

    class Inner(L.Layer):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.a, self.b = L.Dense(8), L.Dense(6)

        def call(self, x: Any) -> Any:
            return x + self.b(tf.nn.relu(self.a(x)))

    class Outer(keras.Model):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.blocks = [Inner(), Inner()]
            self.norm, self.head = L.LayerNormalization(epsilon=1e-5), L.Dense(2)

        def call(self, x: Any) -> Any:
            for one in self.blocks:
                x = one(x)
            return self.head(tf.tanh(self.norm(x)))

    model = Outer()
    model(tf.zeros((1, 6), keras.backend.floatx()))
    return model


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 6)

    def forward(self, x: Any) -> Any:
        return x + self.b(self.a(x).relu_())


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(Inner(), Inner())
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 2)

    def forward(self, x: Any) -> Any:
        return self.head(torch.tanh(self.norm(self.blocks(x))))


def operators(keras: Any) -> Any:
    """Functions and operators applied to symbolic tensors."""
    L = keras.layers
    x = keras.Input((6,))
    y = L.Dense(6)(x)
    y = keras.activations.relu(y) + x
    return keras.Model(x, L.Dense(2)(y * x))


class Operators(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x: Any) -> Any:
        return self.b((self.a(x).relu() + x) * x)


def channels_first(keras: Any) -> Any:
    """A channels-first Keras model, as far as TensorFlow supports it on a CPU."""
    L = keras.layers
    given = {"data_format": "channels_first"}
    return keras.Sequential(
        [
            keras.Input((3, 8, 8)),
            L.ZeroPadding2D(1, **given),
            L.BatchNormalization(axis=1),
            L.Activation("relu"),
            L.GlobalAveragePooling2D(**given),
            L.Dense(4),
        ]
    )


class First(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3, eps=1e-3, momentum=0.01)
        self.head = nn.Linear(3, 4)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.norm(F.pad(x, (1, 1, 1, 1))))
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


def excited(keras: Any) -> Any:
    """Squeeze and excitation."""
    L = keras.layers
    x = keras.Input((8, 8, 3))
    y = L.GlobalAveragePooling2D()(x)
    y = L.Reshape((1, 1, 3))(L.Dense(3, activation="sigmoid")(y))
    return keras.Model(x, L.Multiply()([x, y]))


class Excited(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(3, 3)

    def forward(self, x: Any) -> Any:
        y = torch.sigmoid(self.dense(x.mean((2, 3))))
        return x * y[:, :, None, None]


def compiled() -> nn.Module:
    """A module that torch.compile wraps; the check uses the module inside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.compile(nn.Linear(6, 2))


FORMS = [
    Kind("form.branches", (IMAGE,), branches, Branches, 8),
    Kind("form.shared", (ROWS, ROWS), shared, Shared, 6),
    Kind("form.nested", (ROWS,), nested, Nested, 8),
    Kind("form.subclassed", (ROWS,), subclassed, Outer, 11),
    Kind("form.operators", (ROWS,), operators, Operators, 5),
    Kind(
        "form.channels_first",
        ((2, 3, 8, 8),),
        channels_first,
        First,
        4,
        alone=("ZeroPadding2D",),
        own=lambda x: [x],
    ),
    Kind("form.excited", (IMAGE,), excited, Excited, 4),
    Kind(
        "form.compiled",
        (ROWS,),
        lambda k: k.Sequential([k.Input((6,)), k.layers.Dense(2)]),
        compiled,
        1,
    ),
    Kind(
        "form.unknown",
        (ROWS,),
        lambda k: k.Sequential([k.Input((6,)), own_layer(k)]),
        lambda: Net(lambda self, x: x * self.scale, scale=nn.Parameter(torch.randn(6))),
        1,
        unknown=("Scale", "mul"),
    ),
]


def own_layer(keras: Any) -> Any:
    """A custom layer with a weight of its own."""

    class Scale(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")

        def call(self, x: Any) -> Any:
            return x * self.scale

    return Scale()
