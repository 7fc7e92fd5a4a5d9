"""Pairs of sequence layers: embeddings, recurrent layers, masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from parity_tests.pairs.zoo.building import Net, one
from torch_impl.parts.layers import ResetBeforeGRU

SERIES, WORDS = (3, 6, 4), (3, 6, "9")
CELLS = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


def h_of(state: Any) -> Tensor:
    """The hidden state of an RNN, GRU or LSTM."""
    return state[0] if isinstance(state, tuple) else state


def ran(run: Callable[[Any, Any, Any], Any], rnn: nn.Module) -> Net:
    """A recurrent module, and a function of its output and state."""
    return Net(lambda self, x: run(self, *self.rnn(x)), rnn=rnn)


def steps_first(rnn: nn.Module) -> Net:
    return Net(lambda self, x: self.rnn(x.transpose(0, 1))[0].transpose(0, 1), rnn=rnn)


def both(state: Any) -> Tensor:
    """The last states of both directions, concatenated."""
    h = h_of(state)
    return torch.cat((h[-2], h[-1]), dim=1)


def packed(rnn: nn.Module, masked: Callable[[Any], Any]) -> Net:
    """A recurrent module on packed sequences that end in zeros."""

    def run(self: Any, x: Tensor) -> Tensor:
        lengths = masked(x)
        y = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, state = self.rnn(y)
        return h_of(state)[-1]

    return Net(run, rnn=rnn)


def gathered(rnn: nn.Module) -> Net:
    """The same result from the outputs at the last valid steps."""

    def run(self: Any, x: Tensor) -> Tensor:
        lengths = steps_of(x)
        y = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.rnn(y)[0], batch_first=True)
        return out[torch.arange(len(out)), lengths - 1]

    return Net(run, rnn=rnn)


def before_reset() -> nn.Module:
    """A GRU with reset_after=False."""
    rnn = ResetBeforeGRU(4, 5, False)
    for parameter in rnn.parameters():
        nn.init.normal_(parameter)
    return rnn


def steps_of(x: Tensor) -> Tensor:
    return (x != 0).any(-1).sum(1)


def words(rnn: nn.Module) -> Net:
    def run(self: Any, x: Tensor) -> Tensor:
        lengths = (x != 0).sum(1)
        y = self.embed(x)
        y = pack_padded_sequence(y, lengths, batch_first=True, enforce_sorted=False)
        return h_of(self.rnn(y)[1])[0]

    return Net(run, embed=nn.Embedding(9, 4), rnn=rnn)


SEQUENCES = [
    *(
        one(
            f"{kind.lower()}.sequences",
            SERIES,
            lambda L, k=kind: getattr(L, k)(5, return_sequences=True),
            lambda c=cell: ran(lambda _, out, state: out, c(4, 5, batch_first=True)),
        )
        for kind, cell in CELLS.items()
    ),
    *(
        one(
            f"{kind.lower()}.last_step",
            SERIES,
            lambda L, k=kind: getattr(L, k)(5),
            lambda c=cell: ran(lambda _, out, state: out[:, -1], c(4, 5, batch_first=True)),
        )
        for kind, cell in CELLS.items()
    ),
    *(
        one(
            f"{kind.lower()}.state",
            SERIES,
            lambda L, k=kind: getattr(L, k)(5),
            lambda c=cell: ran(lambda _, out, state: h_of(state)[-1], c(4, 5, batch_first=True)),
        )
        for kind, cell in CELLS.items()
    ),
    *(
        one(
            f"{kind.lower()}.steps_first",
            SERIES,
            lambda L, k=kind: getattr(L, k)(5, return_sequences=True),
            lambda c=cell: steps_first(c(4, 5)),
        )
        for kind, cell in CELLS.items()
    ),
    *(
        one(
            f"{kind.lower()}.bidirectional",
            SERIES,
            lambda L, k=kind: L.Bidirectional(getattr(L, k)(5, return_sequences=True)),
            lambda c=cell: ran(
                lambda _, out, state: out, c(4, 5, batch_first=True, bidirectional=True)
            ),
        )
        for kind, cell in CELLS.items()
    ),
    *(
        one(
            f"{kind.lower()}.bidirectional_last",
            SERIES,
            lambda L, k=kind: L.Bidirectional(getattr(L, k)(5)),
            lambda c=cell: ran(
                lambda _, out, state: both(state), c(4, 5, batch_first=True, bidirectional=True)
            ),
        )
        for kind, cell in CELLS.items()
    ),
    *(
        one(
            f"{kind.lower()}.stacked",
            SERIES,
            (
                lambda L, k=kind: getattr(L, k)(5, return_sequences=True),
                lambda L, k=kind: getattr(L, k)(5),
                lambda L: L.Dense(3),
            ),
            lambda c=cell: Net(
                lambda self, x: self.head(self.rnn(x)[0][:, -1]),
                rnn=c(4, 5, num_layers=2, batch_first=True),
                head=nn.Linear(5, 3),
            ),
            3,
        )
        for kind, cell in CELLS.items()
    ),
    one(
        "lstm.stacked_state",
        SERIES,
        (lambda L: L.LSTM(5, return_sequences=True), lambda L: L.LSTM(5)),
        lambda: ran(
            lambda _, out, state: state[0][-1], nn.LSTM(4, 5, num_layers=2, batch_first=True)
        ),
        2,
    ),
    one(
        "simple_rnn.relu",
        SERIES,
        lambda L: L.SimpleRNN(5, activation="relu"),
        lambda: ran(
            lambda _, out, h: h.squeeze(0), nn.RNN(4, 5, nonlinearity="relu", batch_first=True)
        ),
    ),
    one(
        "lstm.no_bias",
        SERIES,
        lambda L: L.LSTM(5, use_bias=False),
        lambda: ran(
            lambda _, out, state: out[:, -1, :], nn.LSTM(4, 5, bias=False, batch_first=True)
        ),
    ),
    one(
        "gru.reset_before",
        SERIES,
        lambda L: L.GRU(5, reset_after=False),
        lambda: Net(lambda self, x: self.rnn(x)[1][0], rnn=before_reset()),
    ),
    one(
        "lstm.behind_masking",
        SERIES,
        (lambda L: L.Masking(), lambda L: L.LSTM(5)),
        lambda: packed(nn.LSTM(4, 5, batch_first=True), steps_of),
        alone=("Masking",),
        padded=True,
    ),
    one(
        "gru.behind_masking",
        SERIES,
        (lambda L: L.Masking(), lambda L: L.GRU(5)),
        lambda: gathered(nn.GRU(4, 5, batch_first=True)),
        alone=("Masking",),
        padded=True,
    ),
    one(
        "lstm.masked_bidirectional",
        SERIES,
        (lambda L: L.Masking(), lambda L: L.Bidirectional(L.LSTM(5))),
        lambda: Net(
            lambda self, x: both(
                self.rnn(
                    pack_padded_sequence(x, steps_of(x), batch_first=True, enforce_sorted=False)
                )[1]
            ),
            rnn=nn.LSTM(4, 5, batch_first=True, bidirectional=True),
        ),
        alone=("Masking",),
        padded=True,
    ),
    one("embedding", WORDS, lambda L: L.Embedding(9, 4), lambda: nn.Embedding(9, 4)),
    one(
        "embedding.function",
        WORDS,
        lambda L: L.Embedding(9, 4),
        lambda: Net(
            lambda self, x: torch.nn.functional.embedding(x, self.w),
            w=nn.Parameter(torch.randn(9, 4)),
        ),
    ),
    one(
        "embedding.mask_zero",
        WORDS,
        (lambda L: L.Embedding(9, 4, mask_zero=True), lambda L: L.LSTM(5)),
        lambda: words(nn.LSTM(4, 5, batch_first=True)),
        2,
        padded=True,
    ),
]
