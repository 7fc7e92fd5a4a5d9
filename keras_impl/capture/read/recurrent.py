"""Keras's recurrent layers and attention in the terms of :mod:`parity.reference.layers`."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_impl.capture.read.activations import name_of
from parity.reference.layers import activations, attention
from parity.reference.layers.recurrent import bidirectional, gru, lstm, simple_rnn


def config_of(layer: Any, kind: str) -> Any:
    """SimpleRNN's, LSTM's and GRU's; None where an activation is none of those known."""
    common: dict[str, Any] = {
        "units": layer.units,
        "activation": name_of(layer.activation),
        "use_bias": bool(layer.use_bias),
        "return_sequences": bool(layer.return_sequences),
        "go_backwards": bool(layer.go_backwards),
    }
    names = [common["activation"]]
    if kind != "SimpleRNN":
        common["recurrent_activation"] = name_of(layer.recurrent_activation)
        names.append(common["recurrent_activation"])
    if layer.stateful or any(one not in (*activations.FORMULAS, "hard_sigmoid") for one in names):
        return None
    if kind == "SimpleRNN":
        return simple_rnn.SimpleRNN(**common)
    if kind == "LSTM":
        return lstm.LSTM(**common)
    reset = layer.reset_after if hasattr(layer, "reset_after") else layer.cell.reset_after
    return gru.GRU(reset_after=bool(reset), **common)


def of_bidirectional(layer: Any, inner: Any) -> Any:
    """Bidirectional's, given that of the layer within."""
    if inner is None or layer.merge_mode is None:
        return None
    inner = dataclasses.replace(inner, return_sequences=bool(layer.return_sequences))
    return bidirectional.Bidirectional(layer=inner, merge_mode=layer.merge_mode)


def of_attention(layer: Any) -> Any:
    """MultiHeadAttention's; None where it attends along other axes than one."""
    config = layer.get_config()
    axes = config.get("attention_axes")
    if (axes is not None and list(axes) != [1]) or config.get("output_shape") is not None:
        return None
    return attention.MultiHeadAttention(
        num_heads=config["num_heads"],
        key_dim=config["key_dim"],
        value_dim=config["value_dim"] or config["key_dim"],
        use_bias=bool(config["use_bias"]),
    )


def mask_of(tensor: Any) -> np.ndarray | None:
    """The mask that a tensor carries."""
    mask = getattr(tensor, "_keras_mask", None)
    return None if mask is None else np.asarray(mask.numpy())


def attended(query: Any, value: Any, given: dict[str, Any]) -> np.ndarray | None:
    """Bool (N, T, S) of who may attend to whom; None where all may."""
    count, size, places = query.shape[0], query.shape[1], value.shape[1]
    mask = np.ones((count, size, places), bool)
    explicit = given.get("attention_mask")
    if explicit is not None:
        mask &= np.asarray(explicit).astype(bool).reshape(-1, size, places)
    if given.get("use_causal_mask"):
        mask &= np.tril(np.ones((size, places), bool))
    own, other = mask_of(query), mask_of(value)
    if own is not None:
        mask &= own[:, :, None]
    if other is not None:
        mask &= other[:, None, :]
    return None if mask.all() else mask
