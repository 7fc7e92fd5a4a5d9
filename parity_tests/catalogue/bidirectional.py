"""Demonstrations of the differences between bidirectional layers, by id."""

from __future__ import annotations

from typing import Any

import torch

from parity.reference.layers.recurrent.bidirectional import Bidirectional
from parity.reference.layers.recurrent.gru import GRU
from parity.reference.layers.recurrent.lstm import LSTM
from parity.reference.layers.recurrent.simple_rnn import SimpleRNN
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import filled, load, n, out, t, weights_of
from parity_tests.catalogue.simple_rnn import MASKS, X

CELLS: list[Any] = [
    config
    for run in ({"return_sequences": False}, {"return_sequences": True})
    for config in (
        SimpleRNN(units=4, activation="tanh", use_bias=True, go_backwards=False, **run),
        LSTM(
            units=4,
            activation="tanh",
            recurrent_activation="sigmoid",
            use_bias=True,
            go_backwards=False,
            **run,
        ),
        GRU(
            units=4,
            activation="tanh",
            recurrent_activation="sigmoid",
            use_bias=True,
            reset_after=True,
            go_backwards=False,
            **run,
        ),
    )
]
REFERENCES: list[tuple[Bidirectional, Any, dict[str, Any]]] = [
    (Bidirectional(layer=cell, merge_mode=mode), X, mask)
    for cell, mode in zip(CELLS, ("concat", "sum", "mul", "ave", "concat", "concat"), strict=True)
    for mask in MASKS
]


def last_output(flavour: str) -> Shown:
    from keras_impl.framework import keras, set_dtype

    set_dtype("float64")
    layer = filled(keras.layers.Bidirectional(keras.layers.LSTM(4)), X)
    w = weights_of(layer)
    state = {}
    for run, end in (("forward", "_l0"), ("backward", "_l0_reverse")):
        state[f"weight_ih{end}"] = w[f"{run}/kernel"].T
        state[f"weight_hh{end}"] = w[f"{run}/recurrent_kernel"].T
        state[f"bias_ih{end}"], state[f"bias_hh{end}"] = w[f"{run}/bias"], 0 * w[f"{run}/bias"]
    port = load(torch.nn.LSTM(3, 4, batch_first=True, bidirectional=True), **state)
    outputs, (h, _) = port(t(X))
    return Shown(out(layer, X), n(outputs[:, -1]), n(torch.cat(tuple(h), 1)))


DEMONSTRATIONS: dict[str, Demonstration] = {"bidirectional.last_output": last_output}
