"""Long short-term memory (LSTM) layers.

Sources: Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 1999;
``tf_keras/src/layers/rnn/lstm.py`` and ``keras/src/layers/rnn/lstm.py``.
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


@layer_kind("lstm", weights=("kernel", "recurrent_kernel", "bias"), family="recurrent")
@dataclass(frozen=True, kw_only=True)
class LSTM:
    """An LSTM with gates i, f, c, o; c ← f∘c + i∘c̃; h ← o∘activation(c)."""

    keras: ClassVar[str] = "LSTM"
    units: int
    activation: str
    recurrent_activation: str
    use_bias: bool
    return_sequences: bool
    go_backwards: bool


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "LSTM": {
        **simple_rnn.KERAS_DEFAULTS["SimpleRNN"],
        "recurrent_activation": "sigmoid",
        "unit_forget_bias": True,
    }
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {
    "LSTM": {"num_layers": 1, "bias": True, "batch_first": False, "proj_size": 0}
}


def reference(
    config: LSTM,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
    mask: np.ndarray | None = None,
    zero_output_for_mask: bool = False,
    flavour: str = "tf_keras",
) -> np.ndarray:
    """The layer's outputs, or the last one, starting from states of zeros.

    Args:
        config: the layer.
        weights: kernel (in, 4·units), recurrent_kernel (units, 4·units), bias (4·units,).
        x: (N, T, in).
        mask: bool (N, T); see :func:`parity.reference.layers.recurrent.scan.scan`.
        zero_output_for_mask: see there.
        flavour: the Keras version, for the recurrent activation.
    """

    def step(now: np.ndarray, states: States) -> States:
        h, c = states
        gates = now @ weights["kernel"] + h @ weights["recurrent_kernel"] + weights.get("bias", 0.0)
        i, f, new, o = np.split(gates, 4, axis=1)
        i, f, o = (activations.apply(config.recurrent_activation, g, flavour) for g in (i, f, o))
        c = f * c + i * activations.apply(config.activation, new)
        return o * activations.apply(config.activation, c), c

    zeros = np.zeros((len(x), config.units))
    return scan(
        step,
        (zeros, zeros),
        x,
        mask,
        return_sequences=config.return_sequences,
        go_backwards=config.go_backwards,
        zero_output_for_mask=zero_output_for_mask,
    )


DIFFERENCES = (
    Difference(
        id="lstm.two_biases",
        kind="recurrent",
        title="one bias in Keras, the sum of two in PyTorch",
        what="nn.LSTM adds bias_ih and bias_hh. Each receives the gradient of Keras's single bias, "
        "so if both are trained, their sum changes twice as much per step.",
        why="PyTorch follows cuDNN's parameters. The forward pass does not show it.",
        to_torch="bias_ih = bias; bias_hh = 0 with requires_grad_(False)",
        to_keras="bias = bias_ih + bias_hh, with half the learning rate for it",
        size=0.2,
        measured="sum of the biases after one step of SGD at rate 0.1",
        rung="step",
        latent=True,
        source="torch/nn/modules/rnn.py",
    ),
    Difference(
        id="lstm.dropout",
        kind="recurrent",
        title="dropout applies to the inputs in Keras, between layers in PyTorch",
        what="LSTM(dropout=p) drops entries of the layer's inputs: in Keras 2 different ones at "
        "each step, in Keras 3 the same at all steps. nn.LSTM(dropout=p) drops the outputs between "
        "stacked layers, and does nothing with one layer. For dropout of the states see "
        "simple_rnn.recurrent_dropout.",
        why="The same name is used for different things.",
        to_torch="multiply the inputs by keep / (1 − p) beforehand: keep (N, T, in), for Keras 3 "
        "(N, 1, in)",
        size=0.7,
        measured="last output in training, 4 sequences of 6 steps, p = ½",
        rung="forward_train",
        latent=True,
        source="tf_keras/src/layers/rnn/lstm.py (call)",
        aliases=("simple_rnn.dropout", "gru.dropout"),
    ),
    Difference(
        id="lstm.forget_bias",
        kind="recurrent",
        title="the forget gate starts with bias 1 in Keras, at random in PyTorch",
        what="unit_forget_bias=True sets the second quarter of the bias to 1 and the remainder to "
        "0. PyTorch draws both biases from ±1/√units.",
        why="Keras follows the advice of Jozefowicz et al., 2015; PyTorch does not. Untrained "
        "models therefore forget at different speeds and learn differently.",
        to_torch="nn.init.zeros_ for both, then bias_ih[units : 2·units] = 1",
        to_keras="unit_forget_bias=False and the initializer RandomUniform(−1/√units, 1/√units)",
        size=1,
        measured="biases of untrained layers of 4 units",
        rung="parameters",
        latent=True,
        source="keras/src/layers/rnn/lstm.py (LSTMCell.build)",
    ),
)
