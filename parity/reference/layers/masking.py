"""Masking of sequence steps, and its effect on recurrent layers.

Sources: ``tf_keras/src/layers/core/masking.py``, ``tf_keras/src/backend.py`` (``rnn``) and
``keras/src/layers/core/masking.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import layer_kind


@layer_kind("masking")
@dataclass(frozen=True, kw_only=True)
class Masking:
    """Masks the steps whose features all equal ``mask_value``."""

    keras: ClassVar[str] = "Masking"
    mask_value: float


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {"Masking": {"mask_value": 0.0}}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {}


def mask_of(config: Masking, x: np.ndarray) -> np.ndarray:
    """Bool (N, T) of x (N, T, in): true where a step counts."""
    return np.asarray((x != config.mask_value).any(-1))


def reference(config: Masking, weights: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """The layer's output (without the mask): x with zeros in masked steps.

    Args:
        config: the layer.
        weights: none.
        x: (N, T, in).
    """
    return np.asarray(x * mask_of(config, x)[..., None])


DIFFERENCES = (
    Difference(
        id="masking.padded_sequences",
        kind="masking",
        title="with a mask Keras's recurrent layers stop at the last valid step",
        what="Keras skips masked steps, so the last output is that of the last valid step. PyTorch "
        "also processes the padding.",
        why="A Masking layer, or an Embedding with mask_zero, passes a mask on implicitly to all "
        "later layers, until a layer drops it: Flatten, Reshape, Conv1D and MaxPooling1D do.",
        to_torch="pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False), and "
        "use h_n",
        size=0.5,
        measured="last output of an LSTM, 4 sequences of 2 to 5 steps",
        rung="forward_eval",
        source="tf_keras/src/backend.py (rnn)",
    ),
    Difference(
        id="masking.padded_outputs",
        kind="masking",
        title="at masked steps Keras repeats the last output, PyTorch returns zeros",
        what="With return_sequences=True Keras repeats the last valid output; within Bidirectional "
        "it returns zeros. pad_packed_sequence always returns zeros.",
        why="It shows where the next layer ignores the mask.",
        to_torch="after pad_packed_sequence, take the output at step min(t, length − 1)",
        size=0.7,
        measured="all outputs of an LSTM, 4 sequences of 2 to 5 steps",
        rung="forward_eval",
        source="tf_keras/src/backend.py (rnn)",
    ),
    Difference(
        id="masking.holes",
        kind="masking",
        title="Keras can mask any step, packed sequences only the end",
        what="A masked step within a sequence leaves the state unchanged. Packing by length cannot "
        "express that, and rejects a sequence of length 0.",
        why="Masking compares values, so a genuine step of zeros is masked too.",
        to_torch="a loop over nn.LSTMCell: h = torch.where(mask[:, t, None], new, h)",
        to_keras="choose a mask_value that no step consists of",
        size=0.3,
        measured="last output of an LSTM, a step of zeros within each of 4 sequences",
        rung="forward_eval",
        source="tf_keras/src/layers/core/masking.py",
    ),
)
