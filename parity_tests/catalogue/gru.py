"""Demonstrations of the differences between GRUs, by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from parity.reference.layers.recurrent.gru import GRU
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import keras_layer, load, n, out, t, weights_of
from parity_tests.catalogue.simple_rnn import MASKS, RUNS, X
from torch_impl.parts.layers import ResetBeforeGRU

REFERENCES: list[tuple[GRU, Any, dict[str, Any]]] = [
    (
        GRU(
            units=4,
            activation="tanh",
            recurrent_activation="sigmoid" if after else "hard_sigmoid",
            reset_after=after,
            **run,
        ),
        X,
        mask,
    )
    for after in (True, False)
    for run in RUNS
    for mask in MASKS
]


def swapped(value: np.ndarray) -> np.ndarray:
    """Reorder gates z, r, h to r, z, n along the last axis."""
    z, r, h = np.split(value, 3, axis=-1)
    return np.concatenate((r, z, h), -1)


def last_of(kernel: np.ndarray, recurrent: np.ndarray, biases: Any) -> np.ndarray:
    """Last output of ``nn.GRU`` with these weights, in its order of gates."""
    port = load(
        torch.nn.GRU(3, 4, batch_first=True),
        weight_ih_l0=kernel.T,
        weight_hh_l0=recurrent.T,
        bias_ih_l0=biases[0],
        bias_hh_l0=biases[1],
    )
    return n(port(t(X))[1][0])


def gate_order(flavour: str) -> Shown:
    layer = keras_layer("GRU", X, units=4)
    given = list(weights_of(layer).values())
    return Shown(out(layer, X), last_of(*given), last_of(*map(swapped, given)))


def reset_after(flavour: str) -> Shown:
    layer = keras_layer("GRU", X, units=4, reset_after=False)
    kernel, recurrent, bias = map(swapped, weights_of(layer).values())
    port = load(
        ResetBeforeGRU(3, 4, bidirectional=False),
        weight_ih_l0=kernel.T,
        weight_hh_l0=recurrent.T,
        bias_ih_l0=bias,
    )
    naive = last_of(kernel, recurrent, (bias, 0 * bias))
    return Shown(out(layer, X), naive, n(port(t(X))[1][0]))


def summed_biases(flavour: str) -> Shown:
    layer = keras_layer("GRU", X, units=4)
    kernel, recurrent, bias = map(swapped, weights_of(layer).values())
    naive = last_of(kernel, recurrent, (bias.sum(0), 0 * bias[1]))
    return Shown(out(layer, X), naive, last_of(kernel, recurrent, bias))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "gru.gate_order": gate_order,
    "gru.reset_after": reset_after,
    "gru.summed_biases": summed_biases,
}
