"""Bidirectional layers: a recurrent layer over the sequence and one over its reverse.

Sources: ``tf_keras/src/layers/rnn/bidirectional.py`` and ``keras/src/layers/rnn/bidirectional.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import layer_kind
from parity.reference.layers.recurrent import gru, lstm, simple_rnn
from parity.reference.layers.recurrent.scan import weights_below


@layer_kind(
    "bidirectional",
    weights=("kernel", "recurrent_kernel", "bias"),
    ids={"last_step": "bidirectional.last_output"},
)
@dataclass(frozen=True, kw_only=True)
class Bidirectional:
    """``layer`` in both directions; ``merge_mode`` is 'concat', 'sum', 'mul' or 'ave'."""

    keras: ClassVar[str] = "Bidirectional"
    layer: simple_rnn.SimpleRNN | lstm.LSTM | gru.GRU
    merge_mode: str


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {"Bidirectional": {"merge_mode": "concat"}}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {"LSTM": {"bidirectional": False}}


def reference(
    config: Bidirectional,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """The merged outputs of both directions; a backward sequence is put back in order.

    Args:
        config: the layer.
        weights: the layer's, with the prefixes ``forward/`` and ``backward/``.
        x: (N, T, in).
        mask: bool (N, T); outputs of masked steps are zero in sequences.

    Returns:
        (N, T, width), or (N, width) from the last output of each direction; the backward one's is
        at the first step.
    """
    runs = []
    for name, backwards in (("forward", False), ("backward", True)):
        layer = dataclasses.replace(config.layer, go_backwards=backwards)
        module: Any = {simple_rnn.SimpleRNN: simple_rnn, lstm.LSTM: lstm, gru.GRU: gru}[type(layer)]
        own = weights_below(weights, name)
        runs.append(module.reference(layer, own, x, mask, layer.return_sequences))
    if config.layer.return_sequences:
        runs[1] = runs[1][:, ::-1]
    merged: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
        "concat": lambda a, b: np.concatenate((a, b), -1),
        "sum": np.add,
        "mul": np.multiply,
        "ave": lambda a, b: (a + b) / 2.0,
    }
    return np.asarray(merged[config.merge_mode](*runs))


DIFFERENCES = (
    Difference(
        id="bidirectional.last_output",
        kind="recurrent",
        title="the backward layer finishes at the first step",
        what="Keras returns the last output of each direction; the backward direction finishes at "
        "the first step. PyTorch's output[:, -1] contains the backward direction's output at the "
        "last step, when it has processed one step only.",
        why="PyTorch returns all outputs, and the last index looks right.",
        to_torch="torch.cat(tuple(h_n), 1)",
        to_keras="return_sequences=True and [:, -1]",
        size=0.9,
        measured="4 sequences of 6 steps, 4 units",
        rung="forward_eval",
        source="keras/src/layers/rnn/bidirectional.py",
    ),
)
