"""Demonstrations of the differences in masking, by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from parity.reference.layers.masking import Masking, mask_of
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import keras_layer, n, normal, out, t
from parity_tests.catalogue.simple_rnn import port_of

LENGTHS = np.array([2, 5, 3, 4])
X = normal(4, 5, 3) * (np.arange(5) < LENGTHS[:, None])[..., None]
ZERO = Masking(mask_value=0.0)

REFERENCES: list[tuple[Masking, Any, dict[str, Any]]] = [
    (ZERO, X, {}),
    (Masking(mask_value=-1.0), np.where(X == 0, -1.0, X) * [1, 1, 1], {}),
    (Masking(mask_value=0.5), np.round(normal(5, 6, 1)) / 2, {}),
]


def packed_last(port: Any, x: np.ndarray) -> np.ndarray:
    """Last output of a recurrent port at the last valid step."""
    fed = pack_padded_sequence(t(x), t(LENGTHS), batch_first=True, enforce_sorted=False)
    return n(port(fed)[1][0][0])


def padded_sequences(flavour: str) -> Shown:
    layer = keras_layer("LSTM", X, units=4)
    port = port_of("LSTM", layer)
    keras = out(layer, X, mask=mask_of(ZERO, X))
    return Shown(keras, n(port(t(X))[1][0][0]), packed_last(port, X))


def padded_outputs(flavour: str) -> Shown:
    layer = keras_layer("LSTM", X, units=4, return_sequences=True)
    fed = pack_padded_sequence(t(X), t(LENGTHS), batch_first=True, enforce_sorted=False)
    outputs = pad_packed_sequence(port_of("LSTM", layer)(fed)[0], batch_first=True)[0]
    shown = torch.minimum(torch.arange(5), t(LENGTHS)[:, None] - 1)
    faithful = outputs[torch.arange(4)[:, None], shown]
    return Shown(out(layer, X, mask=mask_of(ZERO, X)), n(outputs), n(faithful))


def holes(flavour: str) -> Shown:
    x = X.copy()
    x[:, 1] = 0.0
    mask = mask_of(ZERO, x)
    layer = keras_layer("LSTM", x, units=4)
    port = port_of("LSTM", layer)
    cell = torch.nn.LSTMCell(3, 4).double()
    cell.load_state_dict({name[:-3]: value for name, value in port.state_dict().items()})
    states = (torch.zeros(4, 4, dtype=torch.float64),) * 2
    for step in range(5):
        keep = t(mask)[:, step, None]
        moved = cell(t(x)[:, step], states)
        states = tuple(torch.where(keep, a, b) for a, b in zip(moved, states, strict=True))
    return Shown(out(layer, x, mask=mask), packed_last(port, x), n(states[0]))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "masking.padded_sequences": padded_sequences,
    "masking.padded_outputs": padded_outputs,
    "masking.holes": holes,
}
