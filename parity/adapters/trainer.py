"""What an implementation can do with a model that is trained."""

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

Of a parameter that no layer holds the framework's own name, and :data:`UNOWNED`.
"""

UNOWNED = "parameter"

Gradients = dict[Key, np.ndarray]
"""Weight to gradient, in the weight's canonical shape; a weight without one is not there."""


@dataclass(frozen=True)
class RunOptions:
    """How a model in training mode runs otherwise than as its owner wrote it.

    Attributes:
        names: which stream of shared random numbers each random call draws from, in the order of
            the calls. A call without a name has a stream of its own; a call with an empty name
            changes nothing: dropout keeps every entry, noise is zero.
        layouts: of each random call's tensor, as :attr:`TrainingRun.layouts` reported them; needed
            for gradients, where the layers are not watched.
        masks: place of a random call to the mask of a Keras dropout whose numbers it gets; of
            uniform numbers that PyTorch code draws by itself.
        descending: those places of ``masks`` that get 1 minus each number: code that keeps entries
            below a threshold, not above, then keeps the same entries.
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
    """What both models are trained with, in every step.

    Attributes:
        inputs: as Keras takes them.
        torch_inputs: as PyTorch does, where that is not how such inputs usually are.
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
    """A side's model with a loss and an optimizer; :meth:`start` undoes what it changes.

    What a run does is determined by its arguments: the batch, with its options, and the step.
    """

    loss_in_float32: bool
    """Whether the last loss was computed in float32, because it cannot be in the model's dtype."""

    unshared: Sequence[str]
    """Names of layers that draw random numbers which cannot be replaced by shared ones."""

    def start(self) -> None:
        """Weights, buffers and optimizer as they were at first."""

    def keep(self) -> None:
        """Copy trained parameters that something else is about to change, for :meth:`start`.

        The optimizer's steps do so themselves: before them there is no copy.
        """

    def count_in(self, names: Sequence[str]) -> None:
        """Count these among the weights, parameters of the framework's own names."""

    def write(self, key: Key, value: np.ndarray) -> None:
        """Overwrite a weight.

        Raises:
            ParityError: it is computed from others.
        """

    def run(
        self, batch: Batch, step: int, substitutes: Mapping[int, np.ndarray] | None = None
    ) -> TrainingRun:
        """Call the model in training mode and watch it; buffers stay as they are.

        Args:
            batch: what the model is called with, and how it runs.
            step: of the training, from 0: each step draws other numbers.
            substitutes: number of a watched call to the output that it hands on instead of its own.

        Raises:
            CannotRun: the model raises in training mode.
        """

    def gradients(
        self, batch: Batch, step: int, only: Collection[Key] | None = None
    ) -> tuple[float, Gradients]:
        """Loss, penalties included, and its gradients; updates buffers.

        Args:
            batch: what the loss is of, and how the model runs.
            step: of the training, from 0.
            only: these weights; None: every one.

        Raises:
            CannotRun: the gradients cannot be computed.
            ParityError: the loss cannot be called with these outputs and targets.
        """

    def apply(self, gradients: Gradients) -> None:
        """One step of the optimizer with these gradients; a weight without one is left out.

        Raises:
            CannotRun: the optimizer raises.
        """

    def weights(self) -> Mapping[Key, np.ndarray]:
        """Parameters and buffers as they are; PyTorch's each at the time that it is asked for."""

    def carried(self) -> list[str]:
        """Names of the layers that carry a state to the next batch, or keep something else."""

    def settings_of(self, key: Key) -> Settings | None:
        """The optimizer of a weight; None where it is of no known kind."""

    def frozen(self, key: Key) -> bool:
        """Whether a weight is kept from training."""


class KerasTrainer(Trainer, Protocol):
    """What a Keras trainer offers beyond :class:`Trainer`: its settings, for PyTorch to follow."""

    shared_loss: bool
    """Whether PyTorch has the same loss, of probabilities where the model returns such."""

    loss_settings: Settings | None
    """Of a loss of Keras's own."""

    spec: OptimizerSpec | None
    """Of an optimizer of Keras's own."""

    schedule: Settings | None
    """Of a schedule of Keras's own; None where the rate is constant."""

    def rate(self) -> float:
        """Of the next step."""

    def penalty(self) -> float:
        """Share of the last loss that came from the model's own penalties."""

    def first_of(self, key: Key) -> np.ndarray:
        """A weight as it was at first."""

    def penalties(self) -> dict[str, dict[str, Any]]:
        """Factors of the model's own penalties, by layer and what they are on: ``conv.kernel``."""


class TorchTrainer(Trainer, Protocol):
    """What a PyTorch trainer offers beyond :class:`Trainer`: changes that test a cause."""

    loss_shape: tuple[int, ...]
    """Of the last loss; a model can only be trained where it is empty."""

    def loss_of(self, outputs: Sequence[np.ndarray], batch: Batch) -> float:
        """The loss of outputs as Keras's model returned them."""

    def class_weights(self) -> np.ndarray | None:
        """The weight (classes,) that the loss gives each class; None where it has no such."""

    def take(self, layer: str, values: Mapping[str, float]) -> bool:
        """Give a layer Keras's constants: ``momentum``, ``epsilon``, ``negative_slope``.

        Returns:
            Whether any was another before.
        """

    def regroup(self, transfers: Sequence[Transfer]) -> None:
        """Report these weights, and parts of weights, in the shapes of Keras's weights."""

    def rate_of(self, key: Key) -> float:
        """Of the next step, for this weight."""

    def take_rate(self, rate: float) -> None:
        """Make the next step with Keras's where a scheduler's is the same but for rounding."""

    def freeze(self, key: Key, frozen: bool) -> None:
        """Keep a weight from training, or let it train."""

    def second_biases(self) -> list[Key]:
        """Biases of two tensors that both train, of which only the sum counts."""

    def freeze_second_biases(self) -> None:
        """Let only the first of two such tensors train."""


def as_outputs(run: Run) -> list[np.ndarray]:
    """A run's outputs in their order."""
    found: Arrays = run.outputs
    return list(found.values())


def native_outputs(run: Run) -> list[np.ndarray]:
    """Likewise, in the layout in which the model returned them."""
    return [run.native_layout.get(name, value) for name, value in run.outputs.items()]
