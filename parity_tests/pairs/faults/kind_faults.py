"""One fault in a pair of few layers, and the cause that a check must name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from parity_tests.pairs.zoo.attention_kinds import attention
from parity_tests.pairs.zoo.building import IMAGE, KERAS_2, VOLUME, Kind, Net, one, only, turned
from parity_tests.pairs.zoo.merging_kinds import merged
from parity_tests.pairs.zoo.sequence_kinds import both, h_of, packed, ran, steps_of

SERIES = (3, 6, 4)


@dataclass(frozen=True)
class Wrong:
    """A pair with a fault.

    Attributes:
        cause: the id that must be named, alone.
        pair: of the layers.
    """

    cause: str
    pair: Kind


def masked(layer: Callable[[Any], Any]) -> tuple[Callable[[Any], Any], ...]:
    """A layer behind Masking."""
    return (lambda L: L.Masking(), layer)


def filled_with_zeros(self: Any, x: Tensor) -> Tensor:
    """All steps of a packed sequence."""
    y = pack_padded_sequence(x, steps_of(x), batch_first=True, enforce_sorted=False)
    out, _ = pad_packed_sequence(self.rnn(y)[0], batch_first=True, total_length=x.shape[1])
    return out


def last_state(_: Any, out: Tensor, state: Any) -> Tensor:
    """Of the one run."""
    return h_of(state)[-1]


def last_column(self: Any, x: Tensor) -> Tensor:
    """The last step, of whatever it is."""
    return filled_with_zeros(self, x)[:, -1]


NEAR = torch.ones(5, 5, dtype=torch.bool).tril(1).triu(-1)
"""Each step may look at its neighbours."""
CELLS = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}

MASKS = [
    *(
        Wrong(
            "masking.padded_sequences",
            one(
                f"{kind.lower()}.not_packed",
                SERIES,
                masked(lambda L, k=kind: getattr(L, k)(5)),
                lambda c=cell: ran(
                    lambda _, out, state: h_of(state)[-1], c(4, 5, batch_first=True)
                ),
                padded=True,
            ),
        )
        for kind, cell in CELLS.items()
    ),
    Wrong(
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
    Wrong(
        "masking.padded_outputs",
        one(
            "lstm.padded_outputs",
            SERIES,
            masked(lambda L: L.LSTM(5, return_sequences=True)),
            lambda: Net(filled_with_zeros, rnn=nn.LSTM(4, 5, batch_first=True)),
            padded=True,
        ),
    ),
    Wrong(
        "masking.padded_outputs",
        one(
            "lstm.last_of_padded",
            SERIES,
            masked(lambda L: L.LSTM(5)),
            lambda: Net(last_column, rnn=nn.LSTM(4, 5, batch_first=True)),
            padded=True,
        ),
    ),
    Wrong(
        "gru.reset_after",
        one(
            "gru.masked_reset_before",
            SERIES,
            masked(lambda L: L.GRU(5, reset_after=False)),
            lambda: packed(nn.GRU(4, 5, batch_first=True), steps_of),
            padded=True,
        ),
    ),
    Wrong(
        "simple_rnn.activation",
        one(
            "simple_rnn.masked_activation",
            SERIES,
            masked(lambda L: L.SimpleRNN(5)),
            lambda: packed(nn.RNN(4, 5, nonlinearity="relu", batch_first=True), steps_of),
            padded=True,
        ),
    ),
    Wrong(
        "global_average_pool.mask",
        one(
            "global_average.masked",
            SERIES,
            masked(lambda L: L.GlobalAveragePooling1D()),
            only(lambda x: x.mean(1)),
            padded=True,
        ),
    ),
    Wrong(
        "bidirectional.last_output",
        one(
            "lstm.bidirectional_last_step",
            SERIES,
            lambda L: L.Bidirectional(L.LSTM(5)),
            lambda: ran(
                lambda _, out, state: out[:, -1],
                nn.LSTM(4, 5, batch_first=True, bidirectional=True),
            ),
        ),
    ),
    Wrong(
        "attention.mask_polarity",
        attention(
            "attention.polarity",
            lambda layer, x: layer(x, x, attention_mask=NEAR.numpy()[None]),
            lambda self, x: self.attend(x, x, x, attn_mask=NEAR)[0],
            batch_first=True,
        ),
    ),
    Wrong(
        "attention.mask",
        attention(
            "attention.no_mask",
            lambda layer, x: layer(x, x, use_causal_mask=True),
            lambda self, x: self.attend(x, x, x)[0],
            batch_first=True,
        ),
    ),
]

SETTINGS = [
    Wrong(
        "softmax.axis",
        one("softmax.steps", SERIES, lambda L: L.Softmax(axis=1), lambda: nn.Softmax(dim=-1)),
    ),
    Wrong(
        "softmax.axis",
        one("softmax.first", SERIES, lambda L: L.Activation("softmax"), lambda: nn.Softmax(dim=1)),
    ),
    Wrong(
        "hard_sigmoid.slope",
        one(
            "hard_sigmoid.keras2",
            SERIES,
            lambda L: L.Activation("hard_sigmoid"),
            lambda: nn.Hardsigmoid(),
            flavours=KERAS_2,
        ),
    ),
    Wrong(
        "up_sampling.align_corners",
        one(
            "up_sampling2d.corners",
            IMAGE,
            lambda L: L.UpSampling2D((2, 3), interpolation="bilinear"),
            only(
                lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear", align_corners=True)
            ),
        ),
    ),
    Wrong(
        "add.kind",
        merged("Add", lambda a, b, c: torch.maximum(torch.maximum(a, b), c), (IMAGE,) * 3),
    ),
    Wrong(
        "global_max_pool.kind",
        one(
            "global_max.mean",
            VOLUME,
            lambda L: L.GlobalMaxPooling3D(),
            only(lambda x: x.mean((2, 3, 4))),
        ),
    ),
    Wrong(
        "conv.causal_padding",
        one(
            "conv1d.both_sides",
            SERIES,
            lambda L: L.Conv1D(6, 3, padding="causal"),
            lambda: turned(nn.ConstantPad1d(1, 0.0), nn.Conv1d(4, 6, 3)),
        ),
    ),
    Wrong(
        "conv.same_padding",
        one(
            "conv3d.other_end",
            VOLUME,
            lambda L: L.Conv3D(6, 3, strides=2, padding="same"),
            lambda: nn.Conv3d(2, 6, 3, stride=2, padding=1),
        ),
    ),
    Wrong(
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

WRONG = [*MASKS, *SETTINGS]
