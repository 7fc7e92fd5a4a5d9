"""Side, the protocol of an adapter for a user's model, and the loading of adapters."""

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
"""Entry points: classes that implement :class:`Side`, called with the model, or a function that
builds it, and the dtype."""


class CannotRun(ParityError):
    """A model cannot be built, copied or called in this dtype; another dtype may work."""


class Side(Protocol):
    """A copy of a user's model in one framework and one dtype; the original is not changed."""

    framework: str
    """``Keras 2``, ``Keras 3`` or ``PyTorch``."""

    model: Any
    """The copy."""

    flavour: str
    """Keras version, ``tf_keras`` or ``keras3``; empty for PyTorch."""

    kept_outputs: tuple[str, ...]
    """Names of the outputs that are compared, in order; empty: all."""

    promote_to_float64: bool
    """Whether it computes in float64 what the model's code computes in float32, in every run."""

    suffixes: tuple[str, ...]
    """Suffixes of the weight files that it reads and writes."""

    @staticmethod
    def start() -> None:
        """Import the framework, without its messages on stderr.

        Raises:
            ParityError: it is not installed.
        """

    @staticmethod
    def seed(number: int) -> None:
        """Seed the framework's global random numbers, with which models are initialised."""

    @staticmethod
    def dtype_of(path: Path) -> str:
        """Return ``float64`` if a weight file contains it, else ``float32``.

        Raises:
            ParityError: the file is not a weight file, or contains code.
        """

    def run(
        self,
        inputs: Sequence[np.ndarray],
        torch_inputs: Sequence[np.ndarray] | None = None,
        substitutes: Mapping[int, np.ndarray] | None = None,
        training: bool = False,
        promote_to_float64: bool = False,
    ) -> Run:
        """Call the model and record the calls of its layers.

        Args:
            inputs: in Keras's layout.
            torch_inputs: the inputs that the PyTorch model takes, if they are not the usual
                conversion of Keras's.
            substitutes: number of a call to the output that replaces its own.
            training: whether in training mode; buffers do not change.
            promote_to_float64: whether a Keras model in float64 computes in float64 what its code
                computes in float32.

        Raises:
            ParityError: the model cannot be called with these inputs.
        """

    def follow_layout(self, run: Run) -> None:
        """Take inputs from now on in the layout in which a Keras model took them in this run."""

    def plain(self, inputs: Sequence[np.ndarray], own: Sequence[np.ndarray] | None = None) -> Run:
        """Call the model in evaluation mode as its owner does; the run has outputs and no calls.

        Args: see :meth:`run`; the model must have been run.
        """

    def forget(self) -> None:
        """Release the last run; its calls can no longer be replayed."""

    def set_weights(self, layer: str, weights: Mapping[str, np.ndarray]) -> None:
        """Set parameters and buffers of a layer by :attr:`Call.name`."""

    def replay(self, number: int, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the output of a call of the last run for other inputs; both canonical."""

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
        """Return a :class:`parity.adapters.trainer.Trainer` of the model.

        Args:
            loss: see the implementation.
            optimizer: see the implementation; None: no steps.
            seed: of the shared random draws.
            flavour: Keras version whose semantics apply.
            shared_loss: Keras only: whether PyTorch computes the same loss.
            schedule: PyTorch only: a Keras schedule that the optimizer follows.
        """

    def all_parameters(self) -> Arrays:
        """Return every parameter by the framework's own name, in its native layout."""

    def load(self, path: Path) -> None:
        """Load all weights from a file; :meth:`run` must have been called.

        Raises:
            ParityError: the file is not a weight file, contains code, or weights of another model.
        """

    def save(self, path: Path) -> None:
        """Write the weights to a file in the format of its suffix.

        Raises:
            ParityError: the model cannot be saved in this format.
        """

    def unowned_parameters(self, layers: Collection[str]) -> Arrays:
        """Return parameters and buffers that belong to none of these layers, by native name."""

    def set_unowned_parameters(self, values: Mapping[str, np.ndarray]) -> None:
        """Set some of the :meth:`unowned_parameters`."""

    def weights_without_layer(self) -> list[str]:
        """Return the names of floating-point weights that no layer of the last run owns."""


def sides() -> dict[str, type[Side]]:
    """Return the adapter classes by name; their frameworks may be imported.

    Raises:
        ParityError: a framework is not installed.
    """
    return {entry.name: _loaded(entry) for entry in _entries()}


def start() -> None:
    """Import every framework, without its messages.

    Raises:
        ParityError: a framework is not installed.
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


def load_adapter(which: str, model: Any, dtype: str, **kwargs: Any) -> Side:
    """Return the adapter of a model.

    Args:
        which: ``keras`` or ``torch``.
        model: an instance, or a function that builds one.
        dtype: ``float64`` or ``float32``.
        kwargs: further arguments of the adapter.

    Raises:
        ParityError: no such adapter is installed, or it does not accept the model.
    """
    found = {entry.name: entry for entry in _entries()}
    if which not in found:
        known = ", ".join(sorted(found)) or "none is installed"
        raise ParityError(f"framework: received {which!r}, accepted: {known}")
    return _loaded(found[which])(model, dtype, **kwargs)  # type: ignore[call-arg]


def refuse_empty(name: str, side: Side, run: Run) -> None:
    """Refuse a model without weights, as there is nothing to transfer.

    Raises:
        ParityError: the model has no parameter, frozen or not.
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
