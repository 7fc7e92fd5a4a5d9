"""A fault planted into a small pair of a user's own, and what a check must say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from parity.constants import FLAVOURS

Losses = Callable[[Any], Any]
"""Of the Keras module: a loss or an optimizer by name, or the two of a pair."""


@dataclass(frozen=True)
class Row:
    """A pair that is faithful but for one thing.

    Attributes:
        name: of the fault.
        shape: of the input, as Keras takes it; (…, 'n') whole numbers below n.
        layers: of ``keras.layers``, gives those of a Sequential.
        torch: gives the module, with the fault unless that is in its weights.
        layer: of Keras, that must be named; empty: there is none to name.
        causes: the ids that must be named, no more and no fewer.
        rung: where the two part first.
        weights: the mistake in carrying weights over to the module, whose faithful ones it has.
        padded: whether the sequences' ends are zeros.
        holes: whether a step within each sequence is.
        positive: weights of Keras that are, beside variances.
        scale: of the inputs.
        loss: as :func:`parity.check` takes it; with it training is compared.
        rules: the optimizer, likewise.
        targets: 'classes', or the shape of the numbers behind N, or 'binary' for zeros and ones.
        unnamed: why the cause cannot be named; then none must be, but ``unknown``.
        entry: of the catalogue, where the cause cannot be named and the row's name is another.
        flavours: the Kerases that it can be planted in.
    """

    name: str
    shape: tuple[Any, ...]
    layers: Callable[[Any], list[Any]]
    torch: Callable[[], nn.Module]
    layer: str
    causes: tuple[str, ...]
    rung: str = "forward_eval"
    weights: Callable[[Any], None] | None = None
    padded: bool = False
    holes: bool = False
    positive: tuple[str, ...] = ()
    scale: float = 1.0
    loss: Losses | None = None
    rules: Losses | None = None
    targets: Any = "classes"
    unnamed: str = ""
    entry: str = ""
    flavours: tuple[str, ...] = FLAVOURS

    def inputs(self) -> np.ndarray:
        """Random numbers; nothing but the padding is zero."""
        rng = np.random.default_rng(5)
        if isinstance(self.shape[-1], str):
            found = rng.integers(1, int(self.shape[-1]), self.shape[:-1])
        else:
            found = rng.standard_normal(self.shape) * self.scale
        if self.padded:
            for number in range(len(found)):
                found[number, 2 + number :] = 0
        if self.holes:
            found[:, 1] = 0
        return found

    def keras(self, keras: Any) -> Any:
        """The Keras model, its weights as they begin."""
        whole = isinstance(self.shape[-1], str)
        inner = self.shape[1:-1] if whole else self.shape[1:]
        given = {"dtype": "int32"} if whole else {}
        return keras.Sequential([keras.Input(inner, **given), *self.layers(keras.layers)])

    def wanted(self) -> np.ndarray:
        """Targets of a training step."""
        rng, count = np.random.default_rng(6), self.shape[0]
        if self.targets == "classes":
            return rng.integers(0, 3, count)
        if self.targets == "binary":
            return rng.integers(0, 2, (count, 1)).astype(float)
        if self.targets == "shares":
            numbers = rng.random((count, 3))
            return np.asarray(numbers / numbers.sum(1, keepdims=True))
        return rng.standard_normal((count, *self.targets))
