"""Workloads without a framework: a model, the shape of its data and a batch size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.data import datasets

CLASSES = 10
IMAGE, VOWELS, ROWS = (28, 28, 1), (29, 12), (28, 28)

EPOCH = 100
"""Minimum steps of an epoch, for which this project builds the graph of long epochs."""

Round = Callable[[], Any]
"""A function that runs one pass over a workload's examples."""


@dataclass(frozen=True)
class Workload:
    """A model, its data and the number of steps of a round.

    Attributes:
        name: what the tables call it.
        family: which of the project's models it is.
        batch: examples per step.
        steps: steps in a round, each of them on other examples.
        shape: of one example.
        hidden: widths of hidden dense layers.
        channels: of the convolutions, each followed by a 2×2 max pool.
        batch_norm: whether each convolution is normalised.
        rate: of the dropout behind each hidden layer, or of whole channels behind each pool.
        cell: kind of recurrent layer.
        units: its width.
        masked: whether sequences have lengths of their own.
    """

    name: str
    family: str
    batch: int
    steps: int
    shape: tuple[int, ...] = IMAGE
    hidden: tuple[int, ...] = (128,)
    channels: tuple[int, ...] = ()
    batch_norm: bool = False
    rate: float = 0.0
    cell: str = ""
    units: int = 0
    masked: bool = False

    @property
    def examples(self) -> int:
        """Number of examples in a round."""
        return self.batch * self.steps

    def data(self, long: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """X float32 (N, *shape), y int64 (N,), and lengths int64 (N,) where masked.

        N is a round's examples, or, of a ``long`` epoch of which a round is a part, as many times
        that as make :data:`EPOCH` steps.

        Real ones in the workload's shape. Of random inputs or labels little can be learned: units
        die, and their moments fade into denormal numbers, which take PyTorch twice as long and more
        (TensorFlow takes them for zero).
        """
        name = "japanese_vowels" if self.masked else "fashion_mnist"
        source = datasets.load(name, size="embedded").train
        numbers = np.random.default_rng(0)
        examples = self.examples * (-(-EPOCH // self.steps) if long else 1)
        picked = numbers.integers(0, len(source.x), examples)
        x = np.resize(source.x[picked], (examples, *self.shape))
        return x, source.y[picked], None if source.lengths is None else source.lengths[picked]


_SOFTMAX = Workload("softmax", "softmax", 64, 100)
_CNN = Workload("cnn", "cnn", 64, 20, channels=(16, 32), batch_norm=True, rate=0.1)
_RNN = Workload("rnn", "rnn", 64, 40, VOWELS, hidden=(), cell="gru", units=48, masked=True)
_SMALL_BATCH = (
    _SOFTMAX,
    replace(_SOFTMAX, name="dropout", family="dropout", rate=0.5),
    _CNN,
    _RNN,
    replace(_SOFTMAX, name="MLP 784-256-10", hidden=(256,)),
    replace(_CNN, name="CNN 32-64", channels=(32, 64), batch_norm=False, rate=0.0),
    replace(_RNN, name="LSTM 64 on 28x28", shape=ROWS, cell="lstm", units=64, masked=False),
)
WORKLOADS = tuple(
    replace(workload, batch=64 * times, steps=workload.steps // (2 if times > 1 else 1))
    for workload in _SMALL_BATCH
    for times in (1, 4)
)
"""The four default models, then three usual benchmark models."""
