"""Backend and Model, the protocols of an implementation, and the loading of implementations.

An implementation is registered in the entry-point group ``parity.backends`` as a class that
implements :class:`Backend`.
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
    """Keras version, device and number of threads (0: the framework's choice) of a process."""

    flavour: str
    device: str = "cpu"
    threads: int = 0


class Model(Protocol):
    """A classifier of one framework with its loss and its optimizer.

    All arrays are canonical (Keras's layout, channels-last) and have the model's dtype unless
    stated otherwise. Only :meth:`set_weights`, :meth:`restore` and training change buffers.
    """

    def weights(self) -> dict[str, np.ndarray]:
        """Return every parameter and buffer by canonical name."""

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Set every parameter and buffer, with the names and shapes of the spec."""

    def trainable(self) -> frozenset[str]:
        """Return the names of the parameters that the framework trains."""

    def counts(self) -> dict[str, int]:
        """Return the framework's own parameter counts: ``total`` (with buffers) and ``trainable``.

        Also the number of trainable parameters of each layer, by canonical name.
        """

    def layers(self) -> dict[str, str]:
        """Return the framework's name and class of each layer, by canonical name."""

    def trace(self, batch: Batch, training: bool) -> dict[str, np.ndarray]:
        """Return ``input``, the output of every layer by name, and each ``dropout_1/mask``.

        The values at padded steps are undefined.
        """

    def loss(self, batch: Batch) -> float:
        """Return the loss of the batch in training mode."""

    def gradients(self, batch: Batch, outputs: bool = False) -> dict[str, np.ndarray]:
        """Return the gradient of the loss for every trainable parameter, in training mode.

        With ``outputs`` also for the output of every layer (``conv_1/output``).
        """

    def replay(
        self, batch: Batch, training: bool, given: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Return the output of every layer, computed from another model's input of that layer.

        Args:
            batch: lengths and masks.
            training: whether to run in training mode.
            given: the other model's :meth:`trace`; a layer's input is the output before it.
        """

    def replay_gradients(
        self, batch: Batch, given: Mapping[str, np.ndarray], outer: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """As :meth:`gradients` with ``outputs``, but with a separate backward pass for each layer.

        It starts from the other model's input of the layer and gradient of its output.

        Args:
            batch: labels, lengths and masks.
            given: the other model's :meth:`trace` in training mode.
            outer: the other model's :meth:`gradients` with ``outputs``.
        """

    def ignore_gradients(self, parameters: frozenset[str]) -> None:
        """From now on, pass zeros to the optimizer as gradients of these parameters.

        They are null gradients: rounding errors, which Adam would amplify to full steps.
        """

    def feed(self, examples: Split) -> None:
        """Set the examples of :meth:`train`, and copy them to the device.

        Examples that are mapped from a file are copied chunk by chunk.
        """

    def train(self, chunk: Chunk) -> np.ndarray:
        """Run the chunk's optimizer steps; return the loss before each update, (steps,)."""

    def train_watched(self, chunk: Chunk) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Run :meth:`train` for a chunk of one step; return the loss and the inputs of the step.

        They are ``input``, ``labels``, ``lengths`` if there are any, and ``dropout_1/mask``.
        """

    def slots(self) -> dict[str, np.ndarray]:
        """Return the optimizer slots by ``slot/parameter``."""

    def learning_rate(self) -> float:
        """Return the learning rate of the next step."""

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> bool:
        """Run the spec's callbacks for an epoch; return whether to stop training.

        Args:
            epoch: number of the epoch, from 0.
            logs: ``loss``, ``val_loss`` and ``val_accuracy``.
        """

    def finish(self) -> None:
        """End a training: replace the weights if the spec requires it.

        They are replaced by the optimizer's moving averages, then by the best epoch's weights, if
        the spec has either.
        """

    def state(self) -> State:
        """Return a copy of everything that is needed to resume training."""

    def restore(self, state: State) -> None:
        """Set the state that this model, or its twin of the same spec, returned."""

    def reset_optimizer(self) -> None:
        """Reset optimizer and callbacks to their state before the first step."""

    def outputs(self, examples: Split) -> np.ndarray:
        """Return the outputs in evaluation mode, (N, units): logits or probabilities."""

    def validate(self, examples: Split) -> tuple[float, np.ndarray]:
        """Return the mean loss in evaluation mode, and the :meth:`outputs` it was computed from.

        The loss is Keras's ``val_loss``: with penalties and label smoothing, without class weights.
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
            ParityError: the framework is not installed, or the device does not exist.
        """

    def create(self, spec: Spec, dtype: str) -> Model:
        """Build the model with the spec's initial weights."""

    def pair_member(self, spec: Spec) -> PairMember:
        """The framework's own model with its loss and optimizer, to be checked as a pair."""

    def scores(
        self, names: Iterable[str], spec: Spec, outputs: np.ndarray, y: np.ndarray, top_k: int
    ) -> dict[str, np.ndarray]:
        """Return metrics by name, computed by the framework.

        Args:
            names: names in :data:`parity.reference.metrics.table.METRICS` for the model's head.
            spec: of the model.
            outputs: result of :meth:`Model.outputs`, (N, units).
            y: int64 (N,), the labels.
            top_k: k of the metric ``top_k``.

        Returns:
            Each a scalar of the outputs' dtype (``top_k``, and ``f1`` with Keras 2, float32), but
            ``confusion_matrix`` int64 (classes, classes): rows are labels, columns predictions.
        """

    def versions(self) -> dict[str, str]:
        """Return the versions of the framework's packages, by name."""

    def threads(self) -> dict[str, int]:
        """Return the current thread settings, by name."""

    def thread_counts(self) -> tuple[int, ...]:
        """Return other thread counts that this process can use, for the ensemble."""

    def threads_elsewhere(self) -> int:
        """Return a thread count that requires another process, for the ensemble; 0: none."""

    def use_threads(self, count: int) -> None:
        """Set the number of threads: one of :meth:`thread_counts`, or the original one."""

    def notes(self, spec: Spec, dtypes: Collection[str]) -> list[str]:
        """Return a sentence for each way in which a run in these dtypes differs from usual.

        An example is float64 that follows the semantics of float32.
        """


def registered() -> dict[str, str]:
    """Return the package of each registered implementation, by name in alphabetical order."""
    points = importlib.metadata.entry_points(group=GROUP)
    return {point.name: point.value.split(".")[0] for point in sorted(points)}


def load(name: str, settings: Settings) -> Backend:
    """Import and start the registered implementation ``name``.

    Raises:
        ParityError: the name is not registered, or its framework is missing.
    """
    points = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    if name not in points:
        accepted = ", ".join(sorted(points)) or "none is installed"
        raise ParityError(f"backend: received {name!r}, accepted: {accepted}")
    backend: type[Backend] = points[name].load()
    return backend(settings)


def require(module: str, wanted_by: str, extra: str) -> None:
    """Check that a framework is installed, without importing it.

    Raises:
        ParityError: it is not; the message states how to install it.
    """
    try:
        found = importlib.util.find_spec(module)
    except ValueError:  # sys.modules has None for it
        found = None
    if found is None:
        raise ParityError(
            f"{wanted_by} needs {module}, which is not installed; "
            f"install it with: pip install -c constraints.txt '.[{extra}]'"
        )
