"""Demonstrations of the differences between embeddings, by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from parity.constants import as_float32
from parity.reference.layers.embedding import Embedding
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
)
from parity_tests.catalogue.masking import LENGTHS, packed_last
from parity_tests.catalogue.simple_rnn import port_of
from torch_impl import optim

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


def repeated_ids(flavour: str) -> Shown:
    from keras_impl.framework import keras, tf

    layer = keras_layer("Embedding", IDS, input_dim=7, output_dim=3)
    table = variables(layer)["embeddings"]
    before, slopes = t(table.numpy()), normal(4, 5, 3)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(tf.constant(IDS)) * slopes)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build([table])
    optimizer.apply_gradients([(tape.gradient(total, table), table)])
    weight = before.clone().requires_grad_()
    weight.grad = torch.zeros_like(before).index_add(0, t(IDS).flatten(), t(slopes).flatten(0, 1))
    squares = torch.zeros_like(before).index_add(0, t(IDS).flatten(), t(slopes).flatten(0, 1) ** 2)
    beta_1, beta_2 = as_float32(0.9), as_float32(0.999)
    rate = 1e-3 * np.sqrt(1 - beta_2) / (1 - beta_1)
    share_1, share_2 = 1 - 0.9, 1 - 0.999
    moved = rate * share_1 * weight.grad / ((share_2 * squares).sqrt() + 1e-7)
    faithful = n(before - moved) if flavour == "keras3" else np.array(table.numpy())
    optim.Adam([weight], lr=1e-3, flavour=flavour).step()
    return Shown(np.array(table.numpy()), n(weight), faithful)


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
    "embedding.repeated_ids": repeated_ids,
    "embedding.initializer": initializer,
}
