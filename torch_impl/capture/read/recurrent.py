"""Readers of recurrent modules: stacked layers, packed sequences, and which output is used.

``nn.LSTM`` returns all outputs and the last states, and the model uses one or the other later on.
Which one is identified by value among rearrangements of the outputs; it decides whether the layer
returns sequences in Keras's terms.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from parity.reference.layers.recurrent import bidirectional, gru, lstm, simple_rnn
from torch_impl.capture.read.registry import Config, Places, reader
from torch_impl.ladder.weights import Place, gru_biases, gru_kernel, of_recurrent, transposed
from torch_impl.parts.layers import ResetBeforeGRU


def _weights(rnn: nn.RNNBase, _: Any) -> Places | None:
    """Keras has the sum of the two biases, but both of a GRU's; None for several layers."""
    if rnn.num_layers != 1:
        return None
    gru = isinstance(rnn, nn.GRU)
    runs = {"forward/": "_l0", "backward/": "_l0_reverse"} if rnn.bidirectional else {"": "_l0"}
    found = {}
    for prefix, suffix in runs.items():
        for name, own in (("kernel", "weight_ih"), ("recurrent_kernel", "weight_hh")):
            found[prefix + name] = (gru_kernel if gru else transposed)(getattr(rnn, own + suffix))
        if rnn.bias:
            biases = getattr(rnn, f"bias_ih{suffix}"), getattr(rnn, f"bias_hh{suffix}")
            found[f"{prefix}bias"] = gru_biases(*biases) if gru else _summed(*biases)
    return found


def _summed(into: Tensor, recurrent: Tensor) -> Place:
    return Place(
        (into, recurrent), lambda a, b: a + b, lambda value: (value, torch.zeros_like(value))
    )


@reader(nn.RNN, nn.LSTM, nn.GRU, weights=_weights)
def _config(module: Any) -> Config:
    """The configuration of a module that returns sequences; None for projections."""
    if getattr(module, "proj_size", 0):
        return None
    common: dict[str, Any] = {
        "units": module.hidden_size,
        "use_bias": module.bias,
        "return_sequences": True,
        "go_backwards": False,
        "activation": getattr(module, "nonlinearity", "tanh"),
    }
    config: Any
    if isinstance(module, nn.LSTM):
        config = lstm.LSTM(recurrent_activation="sigmoid", **common)
    elif isinstance(module, nn.GRU):
        config = gru.GRU(recurrent_activation="sigmoid", reset_after=True, **common)
    else:
        config = simple_rnn.SimpleRNN(**common)
    if module.bidirectional:
        return bidirectional.Bidirectional(layer=config, merge_mode="concat")
    return config


@reader(ResetBeforeGRU, weights=lambda module, _: of_recurrent(module))
def _before_reset(module: ResetBeforeGRU) -> Config:
    config = gru.GRU(
        units=module.units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        reset_after=False,
        return_sequences=True,
        go_backwards=False,
    )
    runs = len(module.suffixes)
    return bidirectional.Bidirectional(layer=config, merge_mode="concat") if runs == 2 else config


@dataclass(frozen=True)
class Sequences:
    """Input of a recurrent module: x (N, T, in), and the lengths of a packed one."""

    x: Tensor
    lengths: Tensor | None

    @staticmethod
    def of(
        given: Tensor | PackedSequence, batch_first: bool, total: int | None = None
    ) -> Sequences:
        """What a module was given; ``total`` steps were packed."""
        if isinstance(given, PackedSequence):
            return Sequences(*pad_packed_sequence(given, batch_first=True, total_length=total))
        return Sequences(given if batch_first else given.transpose(0, 1), None)

    def as_given(self, x: Tensor, batch_first: bool) -> Tensor | PackedSequence:
        """Another x of the same lengths, as the module wants it."""
        if self.lengths is None:
            return x if batch_first else x.transpose(0, 1).contiguous()
        return pack_padded_sequence(x, self.lengths, batch_first=True, enforce_sorted=False)

    @property
    def options(self) -> dict[str, Any]:
        """See :attr:`parity.adapters.calls.Call.options`."""
        if self.lengths is None:
            return {}
        mask = torch.arange(self.x.shape[1]) < self.lengths[:, None]
        return {"mask": mask.numpy(), "zero_output_for_mask": True}


@dataclass
class Outputs:
    """What a recurrent call gave, and what of it was used."""

    steps: Tensor  # (N, T, runs·units)
    last: Tensor  # (N, runs·units): of each run the state after its last step
    both: bool  # whether there is a run backwards, which ends at the first step
    used: set[str] = field(default_factory=set)

    @property
    def chosen(self) -> str:
        """``steps``, ``last``, or ``step``: the outputs of the last step."""
        return next(iter(self.used)) if len(self.used) == 1 else "steps"

    def output(self, chosen: str) -> Tensor:
        """What was used."""
        return {"steps": self.steps, "last": self.last, "step": self.steps[:, -1]}[chosen]

    def what(self, moved: Tensor, of_steps: bool) -> str:
        """Which output a tensor is that was made of them by moving entries.

        Args:
            moved: the tensor.
            of_steps: whether it was made of the steps; where both runs end is not among them.
        """
        if moved.shape == self.last.shape:
            step = torch.equal(moved, self.steps[:, -1])
            if step and of_steps and self.both:
                return "step"
            if torch.equal(moved, self.last):
                return "last"
            if step:
                return "step"
        return "steps"

    def of_config(self, config: Any) -> Any:
        """The configuration with what is returned."""
        every = self.chosen == "steps"
        if isinstance(config, bidirectional.Bidirectional):
            layer = dataclasses.replace(config.layer, return_sequences=every)
            return dataclasses.replace(config, layer=layer)
        return dataclasses.replace(config, return_sequences=every)


def run(
    module: Any, given: Any, hx: Any, forward: Any, total: int | None = None
) -> tuple[Any, Outputs]:
    """Call a module of one layer: what it gives, and that in one form."""
    out, state = forward(given) if hx is None else forward(given, hx)
    steps = Sequences.of(out, module.batch_first, total).x
    h = state[0] if isinstance(module, nn.LSTM) else state
    return (out, state), Outputs(steps, h.transpose(0, 1).flatten(1), module.bidirectional)


def replaced(module: Any, sequences: Sequences, out: Any, own: Outputs, value: Tensor) -> Any:
    """What a module gives, with ``value`` for its steps (N, T, …) or its last output (N, …)."""
    steps, last = own.steps.clone(), own.last
    lengths = sequences.lengths
    ends = torch.full((len(steps),), steps.shape[1]) if lengths is None else lengths
    if value.ndim == 2:
        last = value
        steps[torch.arange(len(steps)), ends - 1] = value
    else:
        steps = value
        units = module.hidden_size
        last = value[torch.arange(len(steps)), ends - 1].clone()
        if module.bidirectional:
            last[:, units:] = value[:, 0, units:]
    runs = 1 + module.bidirectional
    h = last.reshape(len(last), runs, -1).transpose(0, 1).contiguous()
    state = (h, out[1][1]) if isinstance(module, nn.LSTM) else h
    return (sequences.as_given(steps, module.batch_first), state), Outputs(
        steps, last, module.bidirectional
    )


def layers(module: Any) -> list[Any]:
    """Modules of one layer each that share the parameters of one of several."""
    runs = 1 + module.bidirectional
    found = []
    for number in range(module.num_layers):
        into = module.input_size if number == 0 else runs * module.hidden_size
        given: dict[str, Any] = {"bias": module.bias, "batch_first": module.batch_first}
        if isinstance(module, nn.RNN):
            given["nonlinearity"] = module.nonlinearity
        kind = next(one for one in (nn.LSTM, nn.GRU, nn.RNN) if isinstance(module, one))
        given |= {"bidirectional": module.bidirectional, "dtype": module.weight_ih_l0.dtype}
        layer = kind(into, module.hidden_size, device="meta", **given).train(module.training)
        for name, _ in list(layer.named_parameters()):
            setattr(layer, name, getattr(module, name.replace("_l0", f"_l{number}")))
        found.append(layer)
    return found
