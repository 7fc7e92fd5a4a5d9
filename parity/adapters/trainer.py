"""Trainer, the protocol of a model with a loss and an optimizer, and the options of its runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from parity.adapters.calls import Arrays, Run
from parity.adapters.random_draws import Mask
from parity.adapters.transfer import Transfer
from parity.reference.formula import Settings
from parity.reference.optimizers.spec import OptimizerSpec

Key = tuple[str, str]
"""Name of a layer in its own model, and the canonical name of one of its weights.

For an unowned parameter: its native name, and :data:`UNOWNED`.
"""

UNOWNED = "parameter"

Gradients = dict[Key, np.ndarray]
"""Weight to gradient, in the weight's canonical shape; weights without a gradient are absent."""


@dataclass(frozen=True)
class RunOptions:
    """How a run in training mode differs from what the user's model does by itself.

    Attributes:
        names: which stream of shared random numbers each random call draws from, in the order of
            the calls. A call without a name has a stream of its own; a call with an empty name
            changes nothing: dropout keeps every entry, noise is zero.
        layouts: of each random call's tensor, as :attr:`TrainingRun.layouts` reported them; needed
            for gradients, where the layers are not watched.
        masks: place of a random call to the mask of a Keras dropout whose numbers it gets; of
            uniform numbers that PyTorch code draws by itself.
        descending: places of ``masks`` that get 1 minus each number, for code that keeps entries
            below a threshold instead of above.
        float32_constants: whether PyTorch's functions take their constants rounded to float32, as
            Keras's do.
        through_detach: whether gradients pass through what PyTorch's forward pass detaches.
        native_layout: of each PyTorch output, whether Keras's has PyTorch's own layout, so that
            the loss transposes neither; outputs beyond its end are transposed.
        keras_shapes: shape of each output as Keras's model returns it: PyTorch's may lack, or have,
            axes of length 1.
        without_penalties: whether Keras's loss leaves out the model's own penalties.
        promote_to_float64: whether Keras computes in float64 what its code computes in float32.
    """

    names: tuple[str, ...] = ()
    layouts: tuple[Any, ...] | None = None
    masks: Mapping[int, Mask] = field(default_factory=dict)
    descending: frozenset[int] = frozenset()
    float32_constants: bool = False
    through_detach: bool = False
    native_layout: tuple[bool, ...] = ()
    keras_shapes: tuple[tuple[int, ...], ...] = ()
    without_penalties: bool = False
    promote_to_float64: bool = False


@dataclass(frozen=True)
class TrainingRun:
    """One run in training mode, and the random numbers that it drew.

    Attributes:
        run: the watched calls and the outputs.
        random_calls: of each random call the number of the watched call that it belongs to; -1
            where it belongs to none.
        layouts: of each random call's tensor, for :attr:`RunOptions.layouts`.
        normals: places of random calls that draw normal numbers, and how many each draws.
        noise: those of them that PyTorch code draws by itself: the numbers, canonical.
        masks: places of random calls that draw uniform numbers; of PyTorch those that its code
            draws by itself.
    """

    run: Run
    random_calls: tuple[int, ...]
    layouts: tuple[Any, ...]
    normals: Mapping[int, int]
    masks: Mapping[int, Mask]
    noise: Mapping[int, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """Inputs and targets of a training step, with the options of each model's run.

    Attributes:
        inputs: in Keras's layout.
        torch_inputs: the inputs that the PyTorch model takes, if they are not the usual conversion
            of Keras's.
        targets: one array for every output, or as many as the losses take.
        keras_options: how the Keras model runs.
        torch_options: how the PyTorch model runs.
    """

    inputs: Sequence[np.ndarray]
    torch_inputs: Sequence[np.ndarray] | None
    targets: Sequence[np.ndarray]
    keras_options: RunOptions = RunOptions()
    torch_options: RunOptions = RunOptions()


class Trainer(Protocol):
    """A model with a loss and an optimizer; :meth:`start` resets it to its first state.

    What a run does is determined by its arguments: the batch, with its options, and the step.
    """

    loss_in_float32: bool
    """Whether the last loss was computed in float32, because it cannot be in the model's dtype."""

    unshared: Sequence[str]
    """Names of layers that draw random numbers which cannot be replaced by shared ones."""

    def start(self) -> None:
        """Reset weights, buffers and optimizer to their first state."""

    def keep(self) -> None:
        """Copy the trained parameters for :meth:`start`, before other code changes them.

        :meth:`apply` does so itself.
        """

    def count_in(self, names: Sequence[str]) -> None:
        """Include these unowned parameters, by native name, in the weights."""

    def write(self, key: Key, value: np.ndarray) -> None:
        """Overwrite a weight.

        Raises:
            ParityError: it is computed from others.
        """

    def run(
        self, batch: Batch, step: int, substitutes: Mapping[int, np.ndarray] | None = None
    ) -> TrainingRun:
        """Call the model in training mode and record its calls; buffers do not change.

        Args:
            batch: inputs, targets and options.
            step: number of the training step, from 0; each step has its own random draws.
            substitutes: number of a recorded call to the output that replaces its own.

        Raises:
            CannotRun: the model raises in training mode.
        """

    def gradients(
        self, batch: Batch, step: int, only: Collection[Key] | None = None
    ) -> tuple[float, Gradients]:
        """Return the loss with penalties, and its gradients; updates buffers.

        Args:
            batch: inputs, targets and options.
            step: number of the training step, from 0.
            only: the weights to differentiate by; None: all.

        Raises:
            CannotRun: the gradients cannot be computed.
            ParityError: the loss cannot be called with these outputs and targets.
        """

    def plain(self, batch: Batch, steps: int) -> Any:
        """Train as the model's owner does, with rates of random layers set to 0.

        Args:
            batch: of every step.
            steps: number of steps; 0: the loss alone.

        Returns:
            A :class:`parity.adapters.plain.PlainTraining`.

        Raises:
            CannotRun: the model, the loss or the optimizer raises.
        """

    def apply(self, gradients: Gradients) -> None:
        """Make one optimizer step with these gradients; weights without one do not change.

        Raises:
            CannotRun: the optimizer raises.
        """

    def weights(self) -> Mapping[Key, np.ndarray]:
        """Return the current parameters and buffers; PyTorch's are read at each access."""

    def carried(self) -> list[str]:
        """Names of the layers that carry a state to the next batch, or keep something else."""

    def settings_of(self, key: Key) -> Settings | None:
        """Return the optimizer settings of a weight; None for an unknown kind."""

    def frozen(self, key: Key) -> bool:
        """Return whether a weight is excluded from training."""


class KerasTrainer(Trainer, Protocol):
    """A Keras trainer: a :class:`Trainer` whose settings PyTorch can follow."""

    shared_loss: bool
    """Whether PyTorch computes the same loss, from probabilities if the model returns them."""

    loss_settings: Settings | None
    """Settings of the loss, if it is one of Keras's."""

    spec: OptimizerSpec | None
    """Spec of the optimizer, if it is one of Keras's."""

    schedule: Settings | None
    """Settings of the schedule, if it is one of Keras's; None for a constant rate."""

    def rate(self) -> float:
        """Return the learning rate of the next step."""

    def penalty(self) -> float:
        """Return the part of the last loss that is the model's own penalties."""

    def first_of(self, key: Key) -> np.ndarray:
        """Return the initial value of a weight."""

    def penalties(self) -> dict[str, dict[str, Any]]:
        """Return the factors of the model's penalties by layer and weight (``conv.kernel``)."""


class TorchTrainer(Trainer, Protocol):
    """A PyTorch trainer: a :class:`Trainer` with changes that test a cause."""

    loss_shape: tuple[int, ...]
    """Of the last loss; a model can only be trained where it is empty."""

    def loss_of(self, outputs: Sequence[np.ndarray], batch: Batch) -> float:
        """Return the loss of the Keras model's outputs."""

    def class_weights(self) -> np.ndarray | None:
        """The weight (classes,) that the loss gives each class; None where it has no such."""

    def take(self, layer: str, values: Mapping[str, float]) -> bool:
        """Set a layer's constants (``momentum``, ``epsilon``, ``negative_slope``) to Keras's.

        Returns:
            Whether any value changed.
        """

    def regroup(self, transfers: Sequence[Transfer]) -> None:
        """Report these weights, and parts of weights, in the shapes of Keras's weights."""

    def rate_of(self, key: Key) -> float:
        """Return the learning rate of the next step for this weight."""

    def take_rate(self, rate: float) -> None:
        """Use Keras's rate in the next step, where a scheduler's differs by rounding only."""

    def freeze(self, key: Key, frozen: bool) -> None:
        """Exclude a weight from training, or include it again."""

    def second_biases(self) -> list[Key]:
        """Return the biases that consist of two trained tensors which are only used as a sum."""

    def freeze_second_biases(self) -> None:
        """Freeze the second tensor of each of the :meth:`second_biases`."""


def as_outputs(run: Run) -> list[np.ndarray]:
    """Return the outputs of a run in their order."""
    found: Arrays = run.outputs
    return list(found.values())


def native_outputs(run: Run) -> list[np.ndarray]:
    """Return the outputs of a run in their order, in native layout."""
    return [run.native_layout.get(name, value) for name, value in run.outputs.items()]
