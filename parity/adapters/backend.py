"""The contract an implementation fulfils, and how one is found.

An implementation registers itself in the entry-point group ``parity.backends``; the value names a
class that fulfils :class:`Backend`. ``parity`` never imports one by itself.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from parity.adapters.state import State
from parity.data.batches import Batch, Chunk
from parity.data.datasets import Split
from parity.errors import ParityError
from parity.specs.run import Spec

GROUP = "parity.backends"


@dataclass(frozen=True)
class Settings:
    """How a process runs: which Keras, which device, how many threads (0: framework's choice)."""

    flavour: str
    device: str = "cpu"
    threads: int = 0


class Model(Protocol):
    """A classifier in one framework with its loss and its optimizer, in canonical terms.

    Every array that goes in or out is canonical (DESIGN: Keras's layout, channels last) and of the
    model's dtype unless said otherwise.
    """

    def weights(self) -> dict[str, np.ndarray]:
        """Every parameter and buffer by canonical name."""

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Overwrite every parameter and buffer; names and shapes are the canonical table's."""

    def trainable(self) -> frozenset[str]:
        """Names that the framework itself trains."""

    def counts(self) -> dict[str, int]:
        """The framework's own count of parameters: ``total`` (with buffers) and ``trainable``.

        And of those that train in each layer, by its canonical name.
        """

    def layers(self) -> dict[str, str]:
        """Canonical layer name to what the framework calls that layer, with its class."""

    def trace(self, batch: Batch, training: bool) -> dict[str, np.ndarray]:
        """``input``, every layer's output by its name, and each ``dropout_1/mask``. Buffers stay.

        What stands at padded steps has no meaning.
        """

    def loss(self, batch: Batch) -> float:
        """Loss of the batch in training mode. Buffers stay."""

    def gradients(self, batch: Batch, outputs: bool = False) -> dict[str, np.ndarray]:
        """Gradient of the loss for every trainable parameter, in training mode. Buffers stay.

        With ``outputs`` also with respect to every layer's output (``conv_1/output``).
        """

    def replay(
        self, batch: Batch, training: bool, given: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Every layer's output where each is fed what another model's layer was. Buffers stay.

        Args:
            batch: the rest of what layers take: lengths and masks.
            training: the mode.
            given: the other model's :meth:`trace`; a layer's input is the output before it.
        """

    def replay_gradients(
        self, batch: Batch, given: Mapping[str, np.ndarray], outer: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """As :meth:`gradients` with ``outputs``, but each layer goes back by itself.

        That is from the other model's input of it and gradient with respect to its output.

        Args:
            batch: labels, lengths and masks.
            given: the other model's :meth:`trace` in training mode.
            outer: the other model's :meth:`gradients` with ``outputs``.
        """

    def still(self, parameters: frozenset[str]) -> None:
        """From now on give the optimizer zeros for these parameters' gradients.

        For gradients that are zero but for rounding, which Adam would magnify into full steps.
        """

    def feed(self, examples: Split) -> None:
        """Put the training examples where :meth:`train` finds them: on the device.

        Those that are mapped from a file stay there, and go to the device chunk by chunk.
        """

    def train(self, chunk: Chunk) -> np.ndarray:
        """Run the chunk's optimizer steps; the loss before each update, (steps,)."""

    def train_watched(self, chunk: Chunk) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """:meth:`train` for a chunk of one step, and what that step was fed.

        That is ``input``, ``labels``, ``lengths`` where there are any, and ``dropout_1/mask``.
        """

    def slots(self) -> dict[str, np.ndarray]:
        """Optimizer slots by ``slot/parameter``."""

    def learning_rate(self) -> float:
        """The rate that the next step takes."""

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> bool:
        """Let the spec's callbacks look at an epoch's metrics; whether training must stop.

        Args:
            epoch: its number, from 0.
            logs: ``loss``, ``val_loss`` and ``val_accuracy``.
        """

    def finish(self) -> None:
        """End a training: what the spec calls for takes the weights' place.

        Moving averages, if the optimizer keeps any; then the best epoch's weights, if a callback
        keeps them.
        """

    def state(self) -> State:
        """All that training has to go on from: a copy."""

    def restore(self, state: State) -> None:
        """Go on where this model, or its twin, stood that gave the state; both of one spec."""

    def reset_optimizer(self) -> None:
        """Put optimizer and callbacks back to where they stood before the first step."""

    def outputs(self, examples: Split) -> np.ndarray:
        """What the model returns in evaluation mode, (N, units): logits or probabilities."""

    def validate(self, examples: Split) -> tuple[float, np.ndarray]:
        """Mean loss in evaluation mode, and the :meth:`outputs` that it was computed on.

        It is what Keras calls ``val_loss``: with penalties and label smoothing, without class
        weights.
        """


@dataclass(frozen=True)
class PairMember:
    """One framework's model of a spec with its training, as ``parity.check`` takes them.

    Attributes:
        model: builds the framework's own model, with the spec's probe weights.
        loss: of it, in the framework's order of arguments.
        optimizer: Keras's own, or a function of PyTorch's parameters.
    """

    model: Callable[[], Any]
    loss: Callable[[Any, Any], Any]
    optimizer: Any


class Backend(Protocol):
    """One framework's implementation of every registered model."""

    name: str

    def __init__(self, settings: Settings) -> None:
        """Import the framework and apply the settings.

        Raises:
            ParityError: the framework is not installed, or the device is not there.
        """

    def create(self, spec: Spec, dtype: str) -> Model:
        """Build the model with the spec's initial weights."""

    def pair_member(self, spec: Spec) -> PairMember:
        """The framework's own model with its loss and optimizer, to be checked as a pair."""

    def scores(
        self, names: Iterable[str], spec: Spec, outputs: np.ndarray, y: np.ndarray, top_k: int
    ) -> dict[str, np.ndarray]:
        """Metrics by name, computed by the framework's own.

        Args:
            names: some of :data:`parity.reference.metrics.table.METRICS` that the model's head has.
            spec: of the model.
            outputs: what :meth:`Model.outputs` returned, (N, units).
            y: int64 (N,), the labels.
            top_k: how many places the metric ``top_k`` has.

        Returns:
            Each a scalar of the outputs' dtype (``top_k``, and ``f1`` with Keras 2, float32), but
            ``confusion_matrix`` int64 (classes, classes): rows are labels, columns predictions.
        """

    def versions(self) -> dict[str, str]:
        """Names and versions of what computes."""

    def threads(self) -> dict[str, int]:
        """The thread settings in force."""

    def thread_counts(self) -> tuple[int, ...]:
        """Other thread counts that this process can change to while it runs, for the ensemble."""

    def threads_elsewhere(self) -> int:
        """A thread count that only another process can have, for the ensemble; 0: none needed."""

    def use_threads(self, count: int) -> None:
        """Compute with this many threads from now on: one of :meth:`thread_counts`, or its own."""

    def notes(self, spec: Spec, dtypes: Collection[str]) -> list[str]:
        """Where a run in these dtypes was made to be other than usual, a sentence each.

        Such as float64 that follows what users run in float32.
        """


def registered() -> dict[str, str]:
    """Registered implementations: name to the package that holds it, in order of name."""
    points = importlib.metadata.entry_points(group=GROUP)
    return {point.name: point.value.split(".")[0] for point in sorted(points)}


def load(name: str, settings: Settings) -> Backend:
    """Import the registered implementation ``name`` and start it.

    Raises:
        ParityError: nothing is registered under that name, or its framework is missing.
    """
    points = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    if name not in points:
        accepted = ", ".join(sorted(points)) or "none is installed"
        raise ParityError(f"backend: received {name!r}, accepted: {accepted}")
    backend: type[Backend] = points[name].load()
    return backend(settings)


def require(module: str, wanted_by: str, extra: str) -> None:
    """Say in one line how to install a framework that is not there; it is not imported.

    Raises:
        ParityError: it is not installed.
    """
    try:
        found = importlib.util.find_spec(module)
    except ValueError:  # somebody put None in its place
        found = None
    if found is None:
        raise ParityError(
            f"{wanted_by} needs {module}, which is not installed; "
            f"install it with: pip install -c constraints.txt '.[{extra}]'"
        )
