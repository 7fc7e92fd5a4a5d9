"""Readers of recurrent layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_impl.capture.read.activations import name_of
from keras_impl.capture.read.layers import config_of
from keras_impl.capture.read.registry import Config, kind_of, reader
from parity.reference.layers import activations
from parity.reference.layers.recurrent import bidirectional, gru, lstm, simple_rnn


@reader("SimpleRNN", "LSTM", "GRU", recurrent=True, masked=True)
def _recurrent(layer: Any) -> Config:
    """None if an activation is unknown; each run starts from states of zero."""
    kind = kind_of(layer)
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
    if any(one not in (*activations.FORMULAS, "hard_sigmoid") for one in names):
        return None
    if kind == "SimpleRNN":
        return simple_rnn.SimpleRNN(**common)
    if kind == "LSTM":
        return lstm.LSTM(**common)
    reset = layer.reset_after if hasattr(layer, "reset_after") else layer.cell.reset_after
    return gru.GRU(reset_after=bool(reset), **common)


def _weight_name(_: Any, path: Sequence[str]) -> str:
    """``forward/kernel`` for a weight of the run forwards."""
    run = next(part for part in path if part.startswith(("forward_", "backward_")))
    return f"{run.split('_')[0]}/{path[-1]}"


@reader("Bidirectional", recurrent=True, masked=True, weight_name=_weight_name)
def _bidirectional(layer: Any) -> Config:
    inner = config_of(layer.forward_layer, 3)
    if inner is None or layer.merge_mode is None:
        return None
    inner = dataclasses.replace(inner, return_sequences=bool(layer.return_sequences))
    return bidirectional.Bidirectional(layer=inner, merge_mode=layer.merge_mode)


@reader("RNN", recurrent=True, masked=True)
def _cells(layer: Any) -> Config:
    """None: the cells may compute anything."""
    return None
