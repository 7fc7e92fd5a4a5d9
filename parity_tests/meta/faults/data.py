"""Faults of the data: order, labels, scale, rounding."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from torch import Tensor

from parity.data.datasets import Split
from parity.numerics import random
from parity_tests.meta.planting import Case, Plant, twin, wrapped
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
    """Leave out the last example; the one before is used twice."""
    places = np.arange(len(examples.x))
    return picked(examples, np.append(places[:-1], places[-2]))


def one_label_off(examples: Split) -> Split:
    """Give the first example of the third step the label of the next class."""
    y = examples.y.copy()
    place = ORDER[64]
    y[place] = (y[place] + 1) % 9
    return dataclasses.replace(examples, y=y)


def one_length_short(examples: Split) -> Split:
    lengths = examples.lengths.copy()
    lengths[ORDER[64]] -= 1
    return dataclasses.replace(examples, lengths=lengths)


def batch_reversed(
    original: Callable[..., object], self: TorchModel, order: Tensor, keep: dict[str, Tensor]
) -> object:
    """Reverse the examples within each batch, which the loss hardly shows."""
    return original(self, order.flip(0), keep)


def scaled(original: Callable[..., Tensor], self: TorchModel, x: np.ndarray) -> Tensor:
    """Divide by 256 instead of 255; examples are float32, loaded data float64."""
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
    *twin("data.order", "step", fed_with(reversed_order), on_data(step=1)),
    *twin("data.order_within_a_batch", "step", wrapped(TorchModel, "_step", batch_reversed),
          on_data(step=1)),
    *twin("data.one_dropped", "steps", fed_with(last_dropped), on_data(step=PICKS_THE_LAST)),
    *twin("data.one_label_off", "steps", fed_with(one_label_off), on_data(step=3)),
    *twin("data.one_length_short", "steps", fed_with(one_length_short),
          (Case(*VOWELS, "data", step=3),)),
    *twin("data.scale", "forward_eval", wrapped(TorchModel, "_tensor", scaled), on_data()),
    *twin("data.float16", "forward_eval", wrapped(TorchModel, "_tensor", through_float16),
          (Case(*VOWELS, "data"),)),
]  # fmt: skip
