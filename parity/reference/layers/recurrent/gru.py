"""Gated recurrent unit (GRU) layers, with the reset gate after or before the recurrent product.

Sources: Cho et al., 2014; ``tf_keras/src/layers/rnn/gru.py`` and ``keras/src/layers/rnn/gru.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers import activations
from parity.reference.layers.kinds import layer_kind
from parity.reference.layers.recurrent import simple_rnn
from parity.reference.layers.recurrent.scan import States, scan


@layer_kind("gru", weights=("kernel", "recurrent_kernel", "bias"), family="recurrent")
@dataclass(frozen=True, kw_only=True)
class GRU:
    """A GRU with gates z, r, h; h ← z∘h + (1 − z)∘h̃."""

    keras: ClassVar[str] = "GRU"
    units: int
    activation: str
    recurrent_activation: str
    use_bias: bool
    reset_after: bool
    return_sequences: bool
    go_backwards: bool


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "GRU": {
        **simple_rnn.KERAS_DEFAULTS["SimpleRNN"],
        "recurrent_activation": "sigmoid",
        "reset_after": True,
    }
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {
    "GRU": {"num_layers": 1, "bias": True, "batch_first": False}
}


def reference(
    config: GRU,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
    mask: np.ndarray | None = None,
    zero_output_for_mask: bool = False,
    flavour: str = "tf_keras",
) -> np.ndarray:
    """The layer's outputs, or the last one, starting from a state of zeros.

    Args:
        config: the layer.
        weights: kernel (in, 3·units), recurrent_kernel (units, 3·units); bias (2, 3·units), of
            inputs and of states, or with ``reset_after=False`` (3·units,).
        x: (N, T, in).
        mask: bool (N, T); see :func:`parity.reference.layers.recurrent.scan.scan`.
        zero_output_for_mask: see there.
        flavour: the Keras version, for the recurrent activation.
    """
    units = config.units
    recurrent = weights["recurrent_kernel"]
    bias = weights.get("bias", np.zeros((2, 3 * units)))
    of_input, of_state = bias if bias.ndim == 2 else (bias, np.zeros(3 * units))

    def step(now: np.ndarray, states: States) -> States:
        h = states[0]
        x_z, x_r, x_h = np.split(now @ weights["kernel"] + of_input, 3, axis=1)
        h_z, h_r, h_h = np.split(h @ recurrent + of_state, 3, axis=1)
        z = activations.apply(config.recurrent_activation, x_z + h_z, flavour)
        r = activations.apply(config.recurrent_activation, x_r + h_r, flavour)
        back = r * h_h if config.reset_after else (r * h) @ recurrent[:, 2 * units :]
        return (z * h + (1.0 - z) * activations.apply(config.activation, x_h + back),)

    return scan(
        step,
        (np.zeros((len(x), units)),),
        x,
        mask,
        return_sequences=config.return_sequences,
        go_backwards=config.go_backwards,
        zero_output_for_mask=zero_output_for_mask,
    )


_FILE = "keras/src/layers/rnn/gru.py"

DIFFERENCES = (
    Difference(
        id="gru.gate_order",
        kind="recurrent",
        title="z, r, h in Keras, r, z, n in PyTorch",
        what="The update gate comes first in Keras's kernels and biases, the reset gate in "
        "PyTorch's.",
        why="Shapes are equal, so a transposed kernel loads without an error. (An LSTM has the "
        "same gate order in both.)",
        to_torch="swap the first two thirds of every kernel and bias, then transpose the kernels",
        to_keras="the same",
        size=0.4,
        measured="last output of 4 sequences of 6 steps, 4 units",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="gru.reset_after",
        kind="recurrent",
        title="reset_after=False has no counterpart in PyTorch",
        what="With reset_after=False Keras computes tanh(x·W + (r∘h)·U + b), as first published. "
        "nn.GRU, and Keras by default, compute tanh(x·W + b + r∘(h·U + b')).",
        why="cuDNN supports only the second formula. Models from Keras 1 and early versions of "
        "Keras 2 use the first.",
        to_torch="write the cell yourself",
        size=0.1,
        measured="last output of 4 sequences of 6 steps, 4 units",
        rung="forward_eval",
        source=_FILE,
    ),
    Difference(
        id="gru.summed_biases",
        kind="recurrent",
        title="Keras's (2, 3·units) bias is PyTorch's two biases, not their sum",
        what="The candidate's recurrent bias is multiplied by the reset gate. Adding both rows "
        "into bias_ih, which is correct for an LSTM, removes it from the gate.",
        why="Row 0 of Keras's bias belongs to the inputs, row 1 to the states.",
        to_torch="bias_ih = row 0, bias_hh = row 1, with the gates swapped (see gru.gate_order)",
        to_keras="stack((bias_ih, bias_hh)), with the gates swapped",
        size=0.4,
        measured="last output of 4 sequences of 6 steps, 4 units",
        rung="forward_eval",
        source=_FILE,
    ),
)
