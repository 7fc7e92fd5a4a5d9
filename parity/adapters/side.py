"""What an implementation can do with a model of its framework that it has never seen before."""

from __future__ import annotations

import contextlib
import importlib.metadata
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from parity.adapters.calls import Arrays, Run
from parity.errors import ParityError
from parity.reference.formula import Settings

GROUP = "parity.sides"
"""Entry points: each a class that fulfils :class:`Side`, called with the model, or a function that
builds it, and the dtype."""


class CannotRun(ParityError):
    """A model that cannot be had, or called, in this dtype; another one may do."""


class Side(Protocol):
    """A model in one framework and one dtype: a copy, the user's own is left alone."""

    framework: str
    """``Keras 2``, ``Keras 3`` or ``PyTorch``."""

    model: Any
    """The copy."""

    flavour: str
    """Of Keras, ``tf_keras`` or ``keras3``; of PyTorch empty."""

    kept_outputs: tuple[str, ...]
    """Names of the outputs that are compared, in order; empty: all."""

    promote_to_float64: bool
    """Whether it computes in float64 what the model's code computes in float32, in every run."""

    suffixes: tuple[str, ...]
    """Ends of the names of files with weights that it reads and writes."""

    @staticmethod
    def start() -> None:
        """Import the framework, with nothing of what it says meanwhile on stderr.

        Raises:
            ParityError: it is not installed.
        """

    @staticmethod
    def seed(number: int) -> None:
        """Seed the framework's global random numbers, with which models are initialised."""

    @staticmethod
    def dtype_of(path: Path) -> str:
        """``float64`` where a file of weights has such, ``float32`` otherwise.

        Raises:
            ParityError: it is no such file, or holds code.
        """

    def run(
        self,
        inputs: Sequence[np.ndarray],
        own: Sequence[np.ndarray] | None = None,
        given: Mapping[int, np.ndarray] | None = None,
        training: bool = False,
        promote_to_float64: bool = False,
    ) -> Run:
        """Call the model and watch its layers.

        Args:
            inputs: as Keras takes them.
            own: as this model takes them, where that is not how such inputs usually are.
            given: a substitute for the output of a call, by the number of the call.
            training: whether in training mode; buffers stay as they are.
            promote_to_float64: whether a Keras model in float64 computes in float64 what its code
                computes in float32.

        Raises:
            ParityError: the model cannot be called with them.
        """

    def follow_layout(self, run: Run) -> None:
        """Take inputs from now on in the layout in which a Keras model took them in this run."""

    def forget(self) -> None:
        """Let go of the last run, whose calls cannot be replayed any more."""

    def set_weights(self, layer: str, weights: Mapping[str, np.ndarray]) -> None:
        """Overwrite parameters and buffers of the layer of that name (:attr:`Call.name`)."""

    def replay(self, number: int, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """What the layer of that call in the last run gives for other inputs; canonical both."""

    def trainer(
        self,
        loss: Any,
        optimizer: Any,
        seed: int,
        flavour: str,
        *,
        shared_loss: bool = False,
        schedule: Settings | None = None,
    ) -> Any:
        """The model with a loss and an optimizer, a :class:`parity.adapters.trainer.Trainer`.

        Args:
            loss: see the implementation.
            optimizer: likewise; None: no steps.
            seed: of what random layers draw.
            flavour: the Keras that is meant.
            shared_loss: of Keras, whether PyTorch gets the same loss.
            schedule: of PyTorch, a schedule of Keras's that its optimizer follows.
        """

    def all_parameters(self) -> Arrays:
        """Every parameter by the framework's own name, as it is."""

    def load(self, path: Path) -> None:
        """Take the weights of a file, all of them; the model must have been run.

        Raises:
            ParityError: it is no such file, holds code, or weights of another model.
        """

    def save(self, path: Path) -> None:
        """Write the weights to a file, of the kind that its suffix says.

        Raises:
            ParityError: the model cannot be written so.
        """

    def unowned_parameters(self, layers: Collection[str]) -> Arrays:
        """Parameters and buffers that none of these layers holds, by the framework's own names."""

    def set_unowned_parameters(self, values: Mapping[str, np.ndarray]) -> None:
        """Overwrite some of them."""

    def weights_without_layer(self) -> list[str]:
        """Names of the floating weights that belong to no layer of the last run."""


def sides() -> dict[str, type[Side]]:
    """The implementations by name; each one's framework may be imported.

    Raises:
        ParityError: a framework is not installed.
    """
    return {entry.name: _loaded(entry) for entry in _entries()}


def start() -> None:
    """Import every framework, quietly.

    Raises:
        ParityError: one is not installed.
    """
    for one in sides().values():
        one.start()


def seed(number: int) -> None:
    """Seed all global random numbers, with which models are initialised.

    Raises:
        ParityError: a framework is not installed.
    """
    random.seed(number)
    np.random.seed(number % 2**32)
    for one in sides().values():
        one.seed(number)


@contextlib.contextmanager
def seeded(number: int) -> Iterator[None]:
    """Models are built with the same random numbers each time; Python's and NumPy's are restored.

    Raises:
        ParityError: a framework is not installed.
    """
    before = random.getstate(), np.random.get_state()
    seed(number)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


def load_adapter(which: str, model: Any, dtype: str, **given: Any) -> Side:
    """The implementation's view of a model.

    Args:
        which: ``keras`` or ``torch``.
        model: an instance, or a function that builds one.
        dtype: ``float64`` or ``float32``.
        given: more for that implementation.

    Raises:
        ParityError: none is installed, or it cannot take the model.
    """
    found = {entry.name: entry for entry in _entries()}
    if which not in found:
        known = ", ".join(sorted(found)) or "none is installed"
        raise ParityError(f"framework: received {which!r}, accepted: {known}")
    return _loaded(found[which])(model, dtype, **given)  # type: ignore[call-arg]


def refuse_empty(name: str, side: Side, run: Run) -> None:
    """Refuse a model without weights, of which there is nothing to carry over.

    Raises:
        ParityError: it has no parameter, frozen ones included.
    """
    if not side.all_parameters() and not any(call.weights for call in run.calls):
        raise ParityError(
            f"{name}: received {type(side.model).__name__} without a parameter, accepted: a model "
            "with weights"
        )


def _entries() -> list[importlib.metadata.EntryPoint]:
    return sorted(importlib.metadata.entry_points(group=GROUP), key=lambda entry: entry.name)


def _loaded(entry: importlib.metadata.EntryPoint) -> type[Side]:
    try:
        loaded: type[Side] = entry.load()
    except ImportError as error:
        raise ParityError(
            f"{entry.value.split('.')[0]} cannot be used: {str(error).splitlines()[0]}; install "
            f"its framework with: pip install -c constraints.txt '.[{entry.name}]'"
        ) from error
    return loaded
