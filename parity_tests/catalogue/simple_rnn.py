"""Demonstrations of the differences between simple recurrent layers, by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from parity.reference.layers.recurrent.simple_rnn import SimpleRNN
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import (
    gradient,
    keras_layer,
    load,
    n,
    normal,
    out,
    t,
    variables,
    weights_of,
)

X = normal(4, 6, 3)
HOLES = np.random.default_rng(2).random((4, 6)) < 0.7
HOLES[0] = False

RUNS: list[dict[str, Any]] = [
    {"return_sequences": False, "go_backwards": False, "use_bias": True},
    {"return_sequences": True, "go_backwards": False, "use_bias": False},
    {"return_sequences": True, "go_backwards": True, "use_bias": True},
]
MASKS: list[dict[str, Any]] = [{}, {"mask": HOLES}]

REFERENCES: list[tuple[SimpleRNN, Any, dict[str, Any]]] = [
    (SimpleRNN(units=4, activation="tanh", **run), X, mask) for run in RUNS for mask in MASKS
]


def gates_of(kind: str) -> Any:
    return {"SimpleRNN": torch.nn.RNN, "LSTM": torch.nn.LSTM}[kind]


def port_of(kind: str, layer: Any, batch_first: bool = True) -> Any:
    """``nn.RNN`` or ``nn.LSTM`` with a Keras layer's weights."""
    w = weights_of(layer)
    into, units = len(w["kernel"]), len(w["recurrent_kernel"])
    return load(
        gates_of(kind)(into, units, batch_first=batch_first),
        weight_ih_l0=w["kernel"].T,
        weight_hh_l0=w["recurrent_kernel"].T,
        bias_ih_l0=w["bias"],
        bias_hh_l0=0 * w["bias"],
    )


def bias_after_a_step(kind: str) -> Shown:
    """Keras's bias after a step of SGD, and the sum of PyTorch's two with both or one trained."""
    layer = keras_layer(kind, X, units=4)
    bias = variables(layer)["bias"]
    keras = bias.numpy() - 0.1 * gradient(layer, X, bias)
    found = []
    for trains in (True, False):
        port = port_of(kind, layer)
        port.bias_hh_l0.requires_grad_(trains)
        port(t(X))[0][:, -1].sum().backward()
        moved = [
            b - 0.1 * b.grad if b.requires_grad else b for b in (port.bias_ih_l0, port.bias_hh_l0)
        ]
        found.append(n(sum(moved)))
    return Shown(keras, *found)


def two_biases(flavour: str) -> Shown:
    return bias_after_a_step("SimpleRNN")


def batch_first(flavour: str) -> Shown:
    x = normal(5, 5, 3)
    layer = keras_layer("SimpleRNN", x, units=4, return_sequences=True)
    return Shown(
        out(layer, x), *(n(port_of("SimpleRNN", layer, b)(t(x))[0]) for b in (False, True))
    )


def recurrent_dropout(flavour: str) -> Shown:
    from keras_impl.framework import tf

    given: dict[str, Any] = {"units": 4, "recurrent_dropout": 0.5, "return_sequences": True}
    if flavour == "keras3":
        given["seed"] = 0
    impulse = np.zeros(X.shape)
    impulse[:, 0] = 1.0
    seen = {"kernel": 1.0, "recurrent_kernel": np.eye(4), "bias": 0.0}
    found = []
    for x, weights, more in ((impulse, seen, {"activation": "linear"}), (X, None, {})):
        layer = keras_layer("SimpleRNN", x, weights, **given, **more)
        tf.random.set_seed(0)
        found.append(out(layer, x, training=True))
    factor = t(found[0][:, 1] / found[0][:, 0])  # of the state, at every step
    port = port_of("SimpleRNN", layer)
    h = torch.zeros(len(X), 4, dtype=torch.float64)
    for step in range(X.shape[1]):
        own = t(X)[:, step] @ port.weight_ih_l0.T + port.bias_ih_l0
        h = torch.tanh(own + (h * factor) @ port.weight_hh_l0.T)
    return Shown(found[1][:, -1], n(port(t(X))[0][:, -1]), n(h))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "simple_rnn.two_biases": two_biases,
    "simple_rnn.batch_first": batch_first,
    "simple_rnn.recurrent_dropout": recurrent_dropout,
}
