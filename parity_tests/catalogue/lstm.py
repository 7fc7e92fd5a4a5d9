"""Demonstrations of the differences between LSTMs, by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from parity.reference.layers.recurrent.lstm import LSTM
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import keras_layer, n, out, t
from parity_tests.catalogue.simple_rnn import MASKS, RUNS, X, bias_after_a_step, port_of

REFERENCES: list[tuple[LSTM, Any, dict[str, Any]]] = [
    (LSTM(units=4, activation="tanh", recurrent_activation=gate, **run), X, mask)
    for gate in ("sigmoid", "hard_sigmoid")
    for run in RUNS
    for mask in MASKS
]


def two_biases(flavour: str) -> Shown:
    return bias_after_a_step("LSTM")


def forget_bias(flavour: str) -> Shown:
    from keras_impl.framework import keras, set_dtype

    set_dtype("float64")
    layer = keras.layers.LSTM(4)
    layer.build((None, 6, 3))
    torch.manual_seed(0)
    port = torch.nn.LSTM(3, 4).double()
    naive = n(port.bias_ih_l0 + port.bias_hh_l0)
    for bias in (port.bias_ih_l0, port.bias_hh_l0):
        torch.nn.init.zeros_(bias)
    port.bias_ih_l0.data[4:8] = 1.0
    return Shown(layer.get_weights()[2], naive, n(port.bias_ih_l0 + port.bias_hh_l0))


GATES = np.repeat([100.0, -100.0, 0.0, 100.0], 3)
"""Biases with which the output is that step's input."""


def dropout(flavour: str) -> Shown:
    from keras_impl.framework import tf

    given: dict[str, Any] = {"units": 3, "dropout": 0.5}
    if flavour == "keras3":
        given["seed"] = 0
    seen = {"kernel": np.tile(np.eye(3), 4), "recurrent_kernel": 0.0, "bias": GATES}
    found = []
    for x, weights, sequences in ((np.ones(X.shape), seen, True), (X, None, False)):
        layer = keras_layer("LSTM", x, weights, return_sequences=sequences, **given)
        tf.random.set_seed(0)
        found.append(out(layer, x, training=True))
    keep = np.abs(found[0]) > 1e-9
    assert (keep == keep[:, :1]).all() == (flavour == "keras3")
    port = port_of("LSTM", layer)
    return Shown(found[1], *(n(port(t(x))[1][0][0]) for x in (X, X * keep / 0.5)))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "lstm.two_biases": two_biases,
    "lstm.dropout": dropout,
    "lstm.forget_bias": forget_bias,
}
