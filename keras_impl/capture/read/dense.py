"""Readers of dense layers, embeddings, and what applies a layer to each step of a sequence."""

from __future__ import annotations

from typing import Any

from keras_impl.capture.read.layers import config_of
from keras_impl.capture.read.registry import Config, kind_of, reader
from parity.reference.layers import dense, embedding


@reader("Dense", activation=True)
def _dense(layer: Any) -> Config:
    return dense.Dense(units=layer.units, activation=None, use_bias=bool(layer.use_bias))


@reader("Embedding")
def _embedding(layer: Any) -> Config:
    return embedding.Embedding(
        input_dim=layer.input_dim, output_dim=layer.output_dim, mask_zero=bool(layer.mask_zero)
    )


@reader("TimeDistributed")
def _each_step(layer: Any) -> Config:
    """The wrapped layer's configuration if it works along the last axis anyway."""
    inner = layer.layer
    plain = ("Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "Dropout", "LayerNormalization")
    return config_of(inner, 3) if kind_of(inner) in plain else None
