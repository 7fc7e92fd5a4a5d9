"""Faults in pairs of one or two layers of :mod:`parity_tests.pairs.zoo`: masks and settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from parity_tests.pairs.zoo.attention_kinds import attention
from parity_tests.pairs.zoo.building import IMAGE, VOLUME, Kind, Net, filled, one, only, turned
from parity_tests.pairs.zoo.merging_kinds import merged
from parity_tests.pairs.zoo.sequence_kinds import both, packed, ran, steps_of
from parity_tests.support.fault import Fault, Pair

SERIES = (3, 6, 4)


def fault(cause: str, kind: Kind) -> Fault[Pair]:
    """A fault with one cause; the check itself builds the Keras model, once for each dtype."""
    pair = Pair(lambda keras: lambda: filled(kind.keras(keras)), kind.torch, kind.inputs)
    return Fault(name=kind.name, models=pair, causes=(cause,))


def masked(layer: Callable[[Any], Any]) -> tuple[Callable[[Any], Any], ...]:
    """A layer after Masking."""
    return (lambda L: L.Masking(), layer)


def filled_with_zeros(self: Any, x: Tensor) -> Tensor:
    """All steps of a packed sequence, padded with zeros."""
    y = pack_padded_sequence(x, steps_of(x), batch_first=True, enforce_sorted=False)
    out, _ = pad_packed_sequence(self.rnn(y)[0], batch_first=True, total_length=x.shape[1])
    return out


def last_column(self: Any, x: Tensor) -> Tensor:
    """The last step, even if it is padding."""
    return filled_with_zeros(self, x)[:, -1]


NEAR = torch.ones(5, 5, dtype=torch.bool).tril(1).triu(-1)
"""Attention mask: each step attends to its neighbours."""

FAULTS = [
    fault(
        "masking.padded_sequences",
        one(
            "lstm.bidirectional_not_packed",
            SERIES,
            masked(lambda L: L.Bidirectional(L.LSTM(5))),
            lambda: ran(
                lambda _, out, state: both(state),
                nn.LSTM(4, 5, batch_first=True, bidirectional=True),
            ),
            padded=True,
        ),
    ),
    fault(
        "masking.padded_outputs",
        one(
            "lstm.padded_outputs",
            SERIES,
            masked(lambda L: L.LSTM(5, return_sequences=True)),
            lambda: Net(filled_with_zeros, rnn=nn.LSTM(4, 5, batch_first=True)),
            padded=True,
        ),
    ),
    fault(
        "masking.padded_outputs",
        one(
            "lstm.last_of_padded",
            SERIES,
            masked(lambda L: L.LSTM(5)),
            lambda: Net(last_column, rnn=nn.LSTM(4, 5, batch_first=True)),
            padded=True,
        ),
    ),
    fault(
        "gru.reset_after",
        one(
            "gru.masked_reset_before",
            SERIES,
            masked(lambda L: L.GRU(5, reset_after=False)),
            lambda: packed(nn.GRU(4, 5, batch_first=True), steps_of),
            padded=True,
        ),
    ),
    fault(
        "simple_rnn.activation",
        one(
            "simple_rnn.masked_activation",
            SERIES,
            masked(lambda L: L.SimpleRNN(5)),
            lambda: packed(nn.RNN(4, 5, nonlinearity="relu", batch_first=True), steps_of),
            padded=True,
        ),
    ),
    fault(
        "global_average_pool.mask",
        one(
            "global_average.masked",
            SERIES,
            masked(lambda L: L.GlobalAveragePooling1D()),
            only(lambda x: x.mean(1)),
            padded=True,
        ),
    ),
    fault(
        "attention.mask_polarity",
        attention(
            "attention.polarity",
            lambda layer, x: layer(x, x, attention_mask=NEAR.numpy()[None]),
            lambda self, x: self.attend(x, x, x, attn_mask=NEAR)[0],
            batch_first=True,
        ),
    ),
    fault(
        "attention.mask",
        attention(
            "attention.no_mask",
            lambda layer, x: layer(x, x, use_causal_mask=True),
            lambda self, x: self.attend(x, x, x)[0],
            batch_first=True,
        ),
    ),
    fault(
        "softmax.axis",
        one("softmax.steps", SERIES, lambda L: L.Softmax(axis=1), lambda: nn.Softmax(dim=-1)),
    ),
    fault(
        "add.kind",
        merged("Add", lambda a, b, c: torch.maximum(torch.maximum(a, b), c), (IMAGE,) * 3),
    ),
    fault(
        "global_max_pool.kind",
        one(
            "global_max.mean",
            VOLUME,
            lambda L: L.GlobalMaxPooling3D(),
            only(lambda x: x.mean((2, 3, 4))),
        ),
    ),
    fault(
        "conv.causal_padding",
        one(
            "conv1d.both_sides",
            SERIES,
            lambda L: L.Conv1D(6, 3, padding="causal"),
            lambda: turned(nn.ConstantPad1d(1, 0.0), nn.Conv1d(4, 6, 3)),
        ),
    ),
    fault(
        "conv.same_padding",
        one(
            "conv3d.other_end",
            VOLUME,
            lambda L: L.Conv3D(6, 3, strides=2, padding="same"),
            lambda: nn.Conv3d(2, 6, 3, stride=2, padding=1),
        ),
    ),
    fault(
        "conv_transpose.same_padding",
        one(
            "conv2d_transpose.first_cut",
            IMAGE,
            lambda L: L.Conv2DTranspose(6, 3, strides=2, padding="same"),
            lambda: Net(
                lambda self, x: self.c(x)[:, :, 1:, 1:], c=nn.ConvTranspose2d(4, 6, 3, stride=2)
            ),
        ),
    ),
]
