"""Faults of the data: their order, their labels, their scale, how they are rounded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from torch import Tensor

from parity.data.datasets import Split
from parity.numerics import random
from parity_tests.meta.planting import Case, Fault, Plant, wrapped
from parity_tests.support import cases
from torch_impl.ladder.training import TorchModel


def fed_with(change: Callable[[Split], Split]) -> Plant:
    """Train on other examples."""

    def feed(original: Callable[..., None], self: TorchModel, examples: Split) -> None:
        original(self, change(examples))

    return wrapped(TorchModel, "feed", feed)


def picked(examples: Split, places: np.ndarray) -> Split:
    lengths = None if examples.lengths is None else examples.lengths[places]
    return dataclasses.replace(
        examples, x=examples.x[places], y=examples.y[places], lengths=lengths
    )


def reversed_order(examples: Split) -> Split:
    return picked(examples, np.arange(len(examples.x))[::-1].copy())


def last_dropped(examples: Split) -> Split:
    """Leave out the last example; whatever picks it gets the one before."""
    places = np.arange(len(examples.x))
    return picked(examples, np.append(places[:-1], places[-2]))


def one_label_off(examples: Split) -> Split:
    """Label the example that the third step begins with as the next class."""
    y = examples.y.copy()
    place = ORDER[64]
    y[place] = (y[place] + 1) % 9
    return dataclasses.replace(examples, y=y)


def one_length_short(examples: Split) -> Split:
    lengths = examples.lengths.copy()
    lengths[ORDER[64]] -= 1
    return dataclasses.replace(examples, lengths=lengths)


def batch_turned(
    original: Callable[..., object], self: TorchModel, order: Tensor, keep: dict[str, Tensor]
) -> object:
    """The same examples in each step, in another order: the loss hardly shows it."""
    return original(self, order.flip(0), keep)


def scaled(original: Callable[..., Tensor], self: TorchModel, x: np.ndarray) -> Tensor:
    """Divide by 256 where 255 was meant; examples are float32, what is loaded is float64."""
    return original(self, x * np.float32(255 / 256) if x.dtype == np.float32 else x)


def through_float16(original: Callable[..., Tensor], self: TorchModel, x: np.ndarray) -> Tensor:
    return original(self, x.astype(np.float16) if x.dtype == np.float32 else x)


ORDER = random.epoch_order(0, 0, cases.TRAIN)
MODELS = (
    ("softmax", "hidden_32_16-logits"),
    ("dropout", "rate_0.5"),
    ("cnn", "bn-c1-k3-s1-n8"),
    ("rnn", "gru_after-1-uni-variable"),
)
PICKS_THE_LAST = 1 + int(np.flatnonzero(ORDER == cases.TRAIN - 1)[0]) // 32
VOWELS = ("rnn", "gru_after-1-uni-variable")


def on_data(step: int | None = None) -> tuple[Case, ...]:
    return tuple(Case(*model, "data", step=step) for model in MODELS)


FAULTS = [
    Fault("data.order", "step", fed_with(reversed_order), on_data(step=1)),
    Fault("data.order_within_a_batch", "step", wrapped(TorchModel, "_step", batch_turned),
          on_data(step=1)),
    Fault("data.one_dropped", "steps", fed_with(last_dropped), on_data(step=PICKS_THE_LAST)),
    Fault("data.one_label_off", "steps", fed_with(one_label_off), on_data(step=3)),
    Fault("data.one_length_short", "steps", fed_with(one_length_short),
          (Case(*VOWELS, "data", step=3),)),
    Fault("data.scale", "forward_eval", wrapped(TorchModel, "_tensor", scaled), on_data()),
    Fault("data.float16", "forward_eval", wrapped(TorchModel, "_tensor", through_float16),
          (Case(*VOWELS, "data"),)),
]  # fmt: skip
