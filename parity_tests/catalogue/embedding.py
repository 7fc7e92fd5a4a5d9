"""Embeddings, by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from parity.layers.embedding import Embedding
from parity_tests.catalogue import Demonstration, Shown
from parity_tests.catalogue.frameworks import gradient, keras_layer, load, n, out, t, variables
from parity_tests.catalogue.masking import LENGTHS, packed_last
from parity_tests.catalogue.simple_rnn import port_of

IDS = np.random.default_rng(0).integers(1, 7, (4, 5)) * (np.arange(5) < LENGTHS[:, None])
REFERENCES: list[tuple[Embedding, Any, dict[str, Any]]] = [
    (Embedding(input_dim=7, output_dim=3, mask_zero=masks), IDS, {}) for masks in (False, True)
]


def padding_idx(flavour: str) -> Shown:
    layer = keras_layer("Embedding", IDS, input_dim=7, output_dim=3, mask_zero=True)
    table = variables(layer)["embeddings"]
    found = []
    for padding in (0, None):
        port = load(torch.nn.Embedding(7, 3, padding_idx=padding), weight=table.numpy())
        port(t(IDS)).sum().backward()
        found.append(n(port.weight.grad))
    return Shown(gradient(layer, IDS, table), *found)


def mask_zero(flavour: str) -> Shown:
    from keras_impl.framework import tf

    layer = keras_layer("Embedding", IDS, input_dim=7, output_dim=3, mask_zero=True)
    x = out(layer, IDS)
    recurrent = keras_layer("LSTM", x, units=4)
    port = port_of("LSTM", recurrent)
    keras = recurrent(layer(tf.constant(IDS))).numpy()  # the mask is never named
    return Shown(keras, n(port(t(x))[1][0][0]), packed_last(port, x))


def initializer(flavour: str) -> Shown:
    from keras_impl.framework import keras, set_dtype

    set_dtype("float64")
    layer = keras.layers.Embedding(20, 5)
    layer.build((None, 5))
    torch.manual_seed(0)
    port = torch.nn.Embedding(20, 5).double()
    table = np.asarray(layer.get_weights()[0])
    return Shown(table, n(port.weight).copy(), n(load(port, weight=table).weight))


DEMONSTRATIONS: dict[str, Demonstration] = {
    "embedding.padding_idx": padding_idx,
    "embedding.mask_zero": mask_zero,
    "embedding.initializer": initializer,
}
