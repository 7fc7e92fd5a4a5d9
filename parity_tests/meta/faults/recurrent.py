"""Faults of recurrent layers, of masking, and of embeddings."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import torch_impl.ladder.weights
from parity_tests.meta.planting import (
    Case,
    adjusted,
    around,
    every,
    loaded_with,
    replaced,
    twin,
    wrapped,
)
from torch_impl.ladder.weights import Place
from torch_impl.parts.layers import Recurrent, ResetBeforeGRU


def other_order(original: Callable[..., dict], rnn: nn.Module) -> dict:
    """Read an LSTM's gates i, f, g, o as i, f, o, g, in loading and in saving."""

    def exchanged(value: Tensor) -> Tensor:
        i, f, g, o = value.chunk(4, -1)
        return torch.cat((i, f, o, g), -1)

    def place(right: Place) -> Place:
        return Place(
            right.tensors,
            lambda *tensors: exchanged(right.to_canonical(*tensors)),
            lambda value: right.from_canonical(exchanged(value)),
        )

    return {name: place(right) for name, right in original(rnn).items()}


def not_transposed(original: Callable[..., dict], rnn: nn.Module) -> dict:
    """Load and save a recurrent kernel without transposing it; its shape is square."""
    weight = rnn.weight_hh_l0
    kept = Place((weight,), lambda value: value, lambda value: (value,))
    return {**original(rnn), "recurrent_kernel": kept}


def both_biases_train(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.requires_grad_(True)


def forget_bias_of_zero(bias):
    bias = bias.copy()
    bias[len(bias) // 4 : len(bias) // 2] -= 1
    return bias


def reset_after(
    original: object, self: ResetBeforeGRU, x: Tensor, lengths: Tensor | None, suffix: str
) -> tuple[Tensor, Tensor]:
    """Apply the reset gate to the recurrent product, as ``nn.GRU`` does."""
    weight = getattr(self, f"weight_hh{suffix}")
    gates = F.linear(x, getattr(self, f"weight_ih{suffix}"), getattr(self, f"bias_ih{suffix}"))
    h, outputs = x.new_zeros(x.shape[0], self.units), []
    for step in range(x.shape[1]):
        into_r, into_z, into_n = gates[:, step].chunk(3, 1)
        from_r, from_z, from_n = F.linear(h, weight).chunk(3, 1)
        z = torch.sigmoid(into_z + from_z)
        n = torch.tanh(into_n + torch.sigmoid(into_r + from_r) * from_n)
        h = z * h + (1.0 - z) * n
        outputs.append(h)
    return torch.stack(outputs, 1), h


def without_mask(
    original: Callable[..., Tensor], self: Recurrent, x: Tensor, lengths: Tensor | None
) -> Tensor:
    return original(self, x, None)


def last_step(
    original: Callable[..., Tensor], self: Recurrent, x: Tensor, lengths: Tensor | None
) -> Tensor:
    """Take the last step, valid or not; backwards, it has seen only one input."""
    if self.own:
        return self.rnn(x, lengths)[0][:, -1]
    return self.rnn(x)[0][:, -1]


def from_a_tenth(forward: Callable[..., object], x: Tensor) -> object:
    """Start from a state of 0.1."""
    module = forward.__self__
    runs = 2 if module.bidirectional else 1
    state = x.new_full((runs, len(x), module.hidden_size), 0.1)
    return forward(x, (state, state) if isinstance(module, nn.LSTM) else state)


CELLS = ("simple", "lstm", "gru_after", "gru_before")
OWN = ("simple", "lstm", "gru_after")


def on(cells: tuple[str, ...], rest: str) -> tuple[Case, ...]:
    return tuple(Case("rnn", f"{cell}-{rest}", "rnn_1") for cell in cells)


FAULTS = [
    *twin("gru.gates", "forward_eval",
          replaced(torch_impl.ladder.weights, "_swapped", lambda value: value),
          (*on(("gru_after", "gru_before"), "1-uni-fixed"), Case("rnn", "tokens-gru", "rnn_1"))),
    *twin("lstm.gates", "forward_eval",
          wrapped(torch_impl.ladder.weights, "of_recurrent", other_order),
          (*on(("lstm",), "1-uni-fixed"), *on(("lstm",), "1-bi-variable"))),
    *twin("rnn.recurrent_kernel_transposed", "forward_eval",
          wrapped(torch_impl.ladder.weights, "of_recurrent", not_transposed),
          on(("simple",), "1-uni-fixed")),
    *twin("rnn.both_biases_train", "parameters", adjusted(both_biases_train),
          on(("simple", "lstm"), "1-uni-fixed")),
    *twin("lstm.forget_bias", "parameters", loaded_with("rnn_1/bias", forget_bias_of_zero),
          on(("lstm",), "1-uni-fixed")),
    *twin("gru.reset_after", "forward_eval", wrapped(ResetBeforeGRU, "_run", reset_after),
          on(("gru_before",), "1-uni-fixed")),
    *twin("rnn.activation", "forward_eval",
          adjusted(lambda model: setattr(model.rnn[0].rnn, "mode", "RNN_RELU")),
          on(("simple",), "1-uni-fixed")),
    *twin("rnn.mask_ignored", "forward_eval", wrapped(Recurrent, "forward", without_mask),
          (*on(CELLS, "1-uni-variable"), *on(CELLS, "1-bi-variable"))),
    *twin("rnn.last_step_for_last_valid", "forward_eval", wrapped(Recurrent, "forward", last_step),
          on(OWN, "1-uni-variable")),
    *twin("rnn.backward_at_the_end", "forward_eval", wrapped(Recurrent, "forward", last_step),
          on(CELLS, "1-bi-fixed")),
    *twin("rnn.initial_state", "forward_eval", around("rnn.0.rnn", from_a_tenth),
          (*on(OWN, "1-uni-fixed"), *on(OWN, "1-bi-fixed"))),
    *twin("embedding.row_0_frozen", "gradients", every(nn.Embedding, padding_idx=0),
          (Case("rnn", "tokens-gru", "embedding"), Case("rnn", "tokens-lstm", "embedding"))),
]  # fmt: skip
