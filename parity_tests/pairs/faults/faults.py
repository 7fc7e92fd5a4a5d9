"""Faults planted into pairs of users' own, and what a check must say of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Fault:
    """A change to a faithful pair.

    Attributes:
        pair: name of the pair.
        layer: the Keras layer that the check must name.
        cause: the id that it must name.
        changed: options of the PyTorch model.
        weights: what is done to the PyTorch model after Keras's weights were copied over.
    """

    pair: str
    layer: str
    cause: str
    changed: Mapping[str, Any] = field(default_factory=dict)
    weights: Callable[[nn.Module], None] | None = None


def _flat_rows(model: Any) -> None:
    """Rows of the dense kernel in Keras's order, (2, 2, 6), though maps are flattened (6, 2, 2)."""
    weight = model.fc1.weight.data
    weight.copy_(weight.reshape(5, 6, 2, 2).permute(0, 2, 3, 1).reshape(5, 24))


def _turned(model: Any) -> None:
    weight = model.features["conv"].weight.data
    weight.copy_(weight.transpose(2, 3).contiguous())


def _transposed(model: Any) -> None:
    model.encoder.weight.data = model.encoder.weight.data.T.contiguous()


def _gates(model: Any) -> None:
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        tensor = getattr(model.rnn, name).data
        first, second, *rest = tensor.chunk(tensor.shape[0] // 5)
        tensor.copy_(torch.cat((second, first, *rest)))


def _swapped(model: Any) -> None:
    norm = model.features["bn"]
    mean = norm.running_mean.clone()
    norm.running_mean.copy_(norm.running_var)
    norm.running_var.copy_(mean.abs())


FAULTS = {
    "batch norm's epsilon": Fault("cnn", "norm", "batch_norm.epsilon", {"epsilon": 1e-5}),
    "padding on both sides": Fault(
        "cnn", "stem", "conv.same_padding", {"stem_padding": (1, 1, 1, 1)}
    ),
    "padding before": Fault("cnn", "stem", "conv.same_padding", {"stem_padding": (1, 0, 1, 0)}),
    "activation before the norm": Fault("cnn", "norm", "structure.order", {"norm_first": False}),
    "no activation": Fault("cnn", "act", "structure.missing", {"act": "none"}),
    "another activation": Fault("cnn", "act", "activation.function", {"act": "elu"}),
    "leaky slope": Fault("cnn", "leaky", "leaky_relu.slope", {"slope": 0.01}),
    "gelu's formula": Fault("cnn", "hidden.gelu", "gelu.approximate", {"gelu": "tanh"}),
    "another pool": Fault("cnn", "pool", "average_pool.kind", {"pool": "max"}),
    "no softmax": Fault("cnn", "classes.softmax", "structure.missing", {"softmax": False}),
    "layer norm's epsilon": Fault("residual", "norm", "layer_norm.epsilon", {"epsilon": 1e-5}),
    "no skip connection": Fault("residual", "sum", "structure.missing", {"skip": False}),
    "sigmoid for tanh": Fault("residual", "shared.tanh", "activation.function", {"tanh": False}),
    "no relu": Fault("residual", "deep.relu", "structure.missing", {"relu": False}),
    "inputs joined in another order": Fault(
        "residual", "join", "structure.order", {"swapped": True}
    ),
    "steps for examples": Fault("lstm", "recurrent", "lstm.batch_first", {"batch_first": False}),
    "reset after": Fault("gru, reset before", "recurrent", "gru.reset_after"),
    "rows of a flattened map": Fault("cnn", "hidden", "flatten.order", weights=_flat_rows),
    "kernel turned": Fault("cnn", "stem", "conv.kernel_layout", weights=_turned),
    "dense kernel turned": Fault("residual", "shared", "dense.kernel_layout", weights=_transposed),
    "gates of a GRU": Fault("gru", "recurrent", "gru.gate_order", weights=_gates),
    "gates of an LSTM": Fault("lstm", "recurrent", "lstm.gate_order", weights=_gates),
}
"""By name."""
