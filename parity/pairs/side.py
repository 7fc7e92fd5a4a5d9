"""What an implementation can do with a model of its framework that it has never seen before."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from parity.errors import ParityError
from parity.pairs.calls import Arrays, Run

GROUP = "parity.sides"
"""Entry points: each a class that fulfils :class:`Side`, called with the model, or a function that
builds it, and the dtype."""


class Side(Protocol):
    """A model in one framework and one dtype: a copy, the user's own is left alone."""

    framework: str
    """``Keras 2``, ``Keras 3`` or ``PyTorch``."""

    model: Any
    """The copy."""

    flavour: str
    """Of Keras, ``tf_keras`` or ``keras3``; of PyTorch empty."""

    def run(
        self,
        inputs: Sequence[np.ndarray],
        own: Sequence[np.ndarray] | None = None,
        given: Mapping[int, np.ndarray] | None = None,
        training: bool = False,
    ) -> Run:
        """Call the model and watch its layers.

        Args:
            inputs: as Keras takes them.
            own: as this model takes them, where that is not how such inputs usually are.
            given: number of a call to what it hands on in place of its own output.
            training: whether in training mode; buffers stay as they are.

        Raises:
            ParityError: the model cannot be called with them.
        """

    def set_weights(self, layer: str, weights: Mapping[str, np.ndarray]) -> None:
        """Overwrite parameters and buffers of the layer of that name (:attr:`Call.name`)."""

    def replay(self, number: int, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """What the layer of that call in the last run gives for other inputs; canonical both."""

    def trainer(self, loss: Any, optimizer: Any, seed: int, flavour: str) -> Any:
        """The model with a loss and an optimizer, a :class:`parity.pairs.trainer.Trainer`.

        Args:
            loss: see the implementation.
            optimizer: likewise; None: no steps.
            seed: of what random layers draw.
            flavour: the Keras that is meant.
        """

    def all_parameters(self) -> Arrays:
        """Every parameter by the framework's own name, as it is."""


def open_side(which: str, model: Any, dtype: str, **given: Any) -> Side:
    """The implementation's view of a model.

    Args:
        which: ``keras`` or ``torch``.
        model: an instance, or a function that builds one.
        dtype: ``float64`` or ``float32``.
        given: more for that implementation.

    Raises:
        ParityError: none is installed, or it cannot take the model.
    """
    found = {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUP)}
    if which not in found:
        known = ", ".join(sorted(found)) or "none is installed"
        raise ParityError(f"framework: received {which!r}, accepted: {known}")
    side: Side = found[which].load()(model, dtype, **given)
    return side
