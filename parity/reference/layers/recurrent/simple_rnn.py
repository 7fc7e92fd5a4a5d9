"""The simple recurrent layer.

Sources: ``tf_keras/src/layers/rnn/simple_rnn.py`` and ``keras/src/layers/rnn/simple_rnn.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers import activations
from parity.reference.layers.kinds import layer_kind
from parity.reference.layers.recurrent.scan import States, scan


@layer_kind("simple_rnn", weights=("kernel", "recurrent_kernel", "bias"), family="recurrent")
@dataclass(frozen=True, kw_only=True)
class SimpleRNN:
    """h ← activation(x·W + h·U + b)."""

    keras: ClassVar[str] = "SimpleRNN"
    units: int
    activation: str
    use_bias: bool
    return_sequences: bool
    go_backwards: bool


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {
    "SimpleRNN": {
        "activation": "tanh",
        "use_bias": True,
        "kernel_initializer": "glorot_uniform",
        "recurrent_initializer": "orthogonal",
        "bias_initializer": "zeros",
        "dropout": 0.0,
        "recurrent_dropout": 0.0,
        "return_sequences": False,
        "go_backwards": False,
        "stateful": False,
    }
}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {
    "RNN": {"num_layers": 1, "nonlinearity": "tanh", "bias": True, "batch_first": False}
}


def reference(
    config: SimpleRNN,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
    mask: np.ndarray | None = None,
    zero_output_for_mask: bool = False,
) -> np.ndarray:
    """The layer's outputs, or the last one, starting from a state of zeros.

    Args:
        config: the layer.
        weights: kernel (in, units), recurrent_kernel (units, units), bias (units,).
        x: (N, T, in).
        mask: bool (N, T); see :func:`parity.reference.layers.recurrent.scan.scan`.
        zero_output_for_mask: see there.
    """

    def step(now: np.ndarray, states: States) -> States:
        y = now @ weights["kernel"] + states[0] @ weights["recurrent_kernel"]
        return (activations.apply(config.activation, y + weights.get("bias", 0.0)),)

    return scan(
        step,
        (np.zeros((len(x), config.units)),),
        x,
        mask,
        return_sequences=config.return_sequences,
        go_backwards=config.go_backwards,
        zero_output_for_mask=zero_output_for_mask,
    )


DIFFERENCES = (
    Difference(
        id="simple_rnn.recurrent_dropout",
        kind="recurrent",
        title="recurrent_dropout has no counterpart in PyTorch",
        what="In training Keras multiplies the state by keep / (1 − p) before the recurrent "
        "kernel, with the same keep at all steps. LSTM and GRU draw a separate keep for each gate.",
        why="The method is from Gal and Ghahramani, 2016. PyTorch follows cuDNN, whose kernels do "
        "not support it.",
        to_torch="a loop over the steps, with keep (N, units) for each gate drawn beforehand",
        size=0.8,
        measured="SimpleRNN's last output in training, 4 sequences of 6 steps, p = ½",
        rung="forward_train",
        latent=True,
        source="keras/src/layers/rnn/dropout_rnn_cell.py",
        aliases=("lstm.recurrent_dropout", "gru.recurrent_dropout"),
    ),
    Difference(
        id="simple_rnn.two_biases",
        kind="recurrent",
        title="one bias in Keras, the sum of two in PyTorch",
        what="nn.RNN adds bias_ih and bias_hh. Each receives the gradient of Keras's single bias, "
        "so if both are trained, their sum changes twice as much per step.",
        why="PyTorch follows cuDNN's parameters. The forward pass does not show it.",
        to_torch="bias_ih = bias; bias_hh = 0 with requires_grad_(False)",
        to_keras="bias = bias_ih + bias_hh, with half the learning rate for it",
        size=0.3,
        measured="sum of the biases after one step of SGD at rate 0.1",
        rung="step",
        latent=True,
        source="torch/nn/modules/rnn.py",
    ),
    Difference(
        id="simple_rnn.batch_first",
        kind="recurrent",
        title="(N, T, in) in Keras, (T, N, in) in PyTorch by default",
        what="Without batch_first=True PyTorch takes the first axis as time. Inputs of any size "
        "are accepted.",
        why="Nothing raises. It applies to nn.RNN, nn.LSTM, nn.GRU and nn.MultiheadAttention.",
        to_torch="batch_first=True",
        size=2,
        measured="5 sequences of 5 steps, all outputs",
        rung="forward_eval",
        source="torch/nn/modules/rnn.py",
        aliases=("lstm.batch_first", "gru.batch_first", "bidirectional.batch_first"),
    ),
)
