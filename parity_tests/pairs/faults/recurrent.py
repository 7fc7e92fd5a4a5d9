"""Faults of recurrent layers, of masking, and of embeddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from parity_tests.pairs.faults.losses import crossentropy
from parity_tests.pairs.faults.small import fault
from parity_tests.pairs.zoo.building import Net

X = (4, 6, 4)
WORDS = (4, 6, "9")
CELLS = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
NAMES = {"SimpleRNN": "simple_rnn", "LSTM": "lstm", "GRU": "gru"}


def series(kind: str, **options: Any) -> Callable[[Any], list[Any]]:
    return lambda L: [getattr(L, kind)(5, name="rnn", **options), L.Dense(3, name="classes")]


def both_ways(kind: str, **options: Any) -> Callable[[Any], list[Any]]:
    return lambda L: [
        L.Bidirectional(getattr(L, kind)(5), name="rnn", **options), L.Dense(3, name="classes"),
    ]  # fmt: skip


def port(
    kind: str, run: Callable[..., Tensor] | None = None, units: int = 5, **options: Any
) -> Any:
    """A recurrent layer and classes of its last step, or of what ``run`` returns."""
    rnn = CELLS[kind](4, 5, batch_first=True, **options)
    last = run or (lambda rnn, x: rnn(x)[0][:, -1])
    return Net(lambda self, x: self.classes(last(self.rnn, x)), rnn=rnn,
               classes=nn.Linear(units, 3))  # fmt: skip


def words(kind: str, run: Callable[..., Tensor] | None = None) -> Any:
    """The same with an embedding of tokens."""
    last = run or (lambda rnn, x, tokens: rnn(x)[0][:, -1])
    return Net(
        lambda self, x: self.classes(last(self.rnn, self.embed(x), x)),
        embed=nn.Embedding(9, 4), rnn=CELLS[kind](4, 5, batch_first=True), classes=nn.Linear(5, 3),
    )  # fmt: skip


def masked(kind: str) -> Callable[[Any], list[Any]]:
    return lambda L: [L.Embedding(9, 4, mask_zero=True, name="tokens"), *series(kind)(L)]


def transposed(module: Any) -> None:
    """Transpose the recurrent kernel of each gate."""
    weight = module.rnn.weight_hh_l0.data
    weight.copy_(torch.cat([gate.T for gate in weight.split(5)]))


def gates(module: Any) -> None:
    for tensor in module.rnn.parameters():
        first, second, *rest = tensor.data.clone().split(5)
        tensor.data.copy_(torch.cat((second, first, *rest)))


def summed(module: Any) -> None:
    module.rnn.bias_ih_l0.data += module.rnn.bias_hh_l0.data
    module.rnn.bias_hh_l0.data.zero_()


def from_a_tenth(rnn: Any, x: Tensor) -> Tensor:
    return rnn(x, torch.full((1, len(x), 5), 0.1, dtype=x.dtype))[0][:, -1]


MASK = ("masking.padded_sequences",)
FAULTS = [
    *(fault(f"{NAMES[kind]}.recurrent_kernel_as_it_is", X, series(kind), lambda k=kind: port(k),
          "rnn", (f"{NAMES[kind]}.kernel_layout",), inject=transposed) for kind in CELLS),
    *(fault(f"{NAMES[kind]}.gates", X, series(kind), lambda k=kind: port(k),
          "rnn", (f"{NAMES[kind]}.gate_order",), inject=gates) for kind in ("LSTM", "GRU")),
    fault("gru.summed_biases", X, series("GRU"), lambda: port("GRU"), "rnn",
        ("gru.summed_biases",), inject=summed),
    fault("gru.reset_after", X, series("GRU", reset_after=False), lambda: port("GRU"), "rnn",
        ("gru.reset_after",)),
    fault("gru.recurrent_activation", X, series("GRU", recurrent_activation="hard_sigmoid"),
        lambda: port("GRU"), "rnn", ("gru.recurrent_activation",)),
    fault("lstm.activation", X, series("LSTM", activation="relu"), lambda: port("LSTM"), "rnn",
        ("lstm.activation",)),
    fault("rnn.activation", X, series("SimpleRNN"), lambda: port("SimpleRNN", nonlinearity="relu"),
        "rnn", ("simple_rnn.activation",)),
    fault("lstm.for_gru", X, series("GRU"), lambda: port("LSTM"), "rnn",
        ("gru.kind",)),
    *(fault(f"{NAMES[kind]}.go_backwards", X, series(kind, go_backwards=True),
          lambda k=kind: port(k), "rnn", (f"{NAMES[kind]}.go_backwards",)) for kind in CELLS),
    *(fault(f"{NAMES[kind]}.steps_for_examples", X, series(kind),
          lambda k=kind: Net(lambda self, x: self.classes(self.rnn(x)[0][:, -1]),
                             rnn=CELLS[k](4, 5), classes=nn.Linear(5, 3)),
          "rnn", (f"{NAMES[kind]}.batch_first",)) for kind in CELLS),
    *(fault(f"{NAMES[kind]}.first_step", X, series(kind),
          lambda k=kind: port(k, lambda rnn, x: rnn(x)[0][:, 0]), "classes", (),
          unnamed="which step is selected is not a setting") for kind in CELLS),
    *(fault(f"{NAMES[kind]}.backward_at_the_end", X, both_ways(kind),
          lambda k=kind: port(k, units=10, bidirectional=True), "rnn",
          ("bidirectional.last_output",)) for kind in CELLS),
    *(fault(f"{NAMES[kind]}.mask_ignored", WORDS, masked(kind), lambda k=kind: words(k), "rnn",
          MASK, padded=True) for kind in CELLS),
    *(fault(f"{NAMES[kind]}.mask_of_a_layer_ignored", X,
          lambda L, k=kind: [L.Masking(name="mask"), *series(k)(L)], lambda k=kind: port(k), "rnn",
          MASK, padded=True) for kind in CELLS),
    fault("lstm.mask_of_a_hole_ignored", X, lambda L: [L.Masking(name="mask"), *series("LSTM")(L)],
        lambda: port("LSTM"), "rnn", ("masking.holes",), holes=True),
    fault("rnn.initial_state", X, series("GRU"), lambda: port("GRU", from_a_tenth), "rnn", (),
        unnamed="an initial state is an argument of the call, not a setting"),
    fault("global_average_pool.mask", WORDS,
        lambda L: [L.Embedding(9, 4, mask_zero=True, name="tokens"),
                   L.GlobalAveragePooling1D(name="mean"), L.Dense(3, name="classes")],
        lambda: Net(lambda self, x: self.classes(self.embed(x).mean(1)), embed=nn.Embedding(9, 4),
                    classes=nn.Linear(4, 3)), "mean", ("global_average_pool.mask",), padded=True),
    fault("embedding.padding_idx", WORDS,
        lambda L: [L.Embedding(9, 4, name="tokens"), L.Flatten(), L.Dense(3, name="classes")],
        lambda: Net(lambda self, x: self.classes(self.embed(x).flatten(1)),
                    embed=nn.Embedding(9, 4, padding_idx=0), classes=nn.Linear(24, 3)),
        "tokens", ("embedding.padding_idx",), "gradients", padded=True, loss=crossentropy),
    fault("simple_rnn.two_biases", X, series("SimpleRNN"), lambda: port("SimpleRNN"), "rnn",
        ("simple_rnn.two_biases",), "step", loss=crossentropy, optimizer=lambda keras: "sgd"),
    fault("lstm.two_biases", X, series("LSTM"), lambda: port("LSTM"), "rnn", ("lstm.two_biases",),
        "step", loss=crossentropy, optimizer=lambda keras: "sgd"),
]  # fmt: skip
