"""Long short-term memory, by id."""

from __future__ import annotations

from typing import Any

import torch

from parity.layers.lstm import LSTM
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import n
from parity_tests.catalogue.simple_rnn import MASKS, RUNS, X, bias_after_a_step

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


DEMONSTRATIONS: dict[str, Demonstration] = {
    "lstm.two_biases": two_biases,
    "lstm.forget_bias": forget_bias,
}
