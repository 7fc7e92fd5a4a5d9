"""What an implementation can do with a model that is trained."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from parity.adapters.calls import Arrays, Run
from parity.adapters.random_draws import Mask
from parity.reference.formula import Settings
from parity.reference.optimizers.spec import OptimizerSpec

Key = tuple[str, str]
"""Name of a layer in its own model, and the canonical name of one of its weights.

Of a parameter that no layer holds the framework's own name, and :data:`LOOSE`.
"""

LOOSE = "parameter"

Gradients = dict[Key, np.ndarray]
"""Weight to gradient, in the weight's canonical shape; a weight without one is not there."""


@dataclass(frozen=True)
class Batch:
    """What both models are trained with, in every step.

    Attributes:
        inputs: as Keras takes them.
        torch_inputs: as PyTorch does, where that is not how such inputs usually are.
        targets: one array for every output, or as many as the losses take.
    """

    inputs: Sequence[np.ndarray]
    torch_inputs: Sequence[np.ndarray] | None
    targets: Sequence[np.ndarray]


class Trainer(Protocol):
    """A side's model with a loss and an optimizer; what it changes, :meth:`start` undoes."""

    names: list[str]
    """By what name each random call draws, in the order of the calls: missing ones have their
    place for a name, an empty one keeps everything and adds nothing."""

    random_calls: list[int]
    """Which watched call each random call belonged to in the last :meth:`run`."""

    normals: dict[int, int]
    """Places of those that drew normal numbers, and how many each drew."""

    masks: dict[int, Mask]
    """Places of those that drew uniform numbers, of PyTorch those that its code draws by itself."""

    unshared: list[str]
    """Names of layers whose random numbers cannot be given to them."""

    def start(self) -> None:
        """Weights, buffers and optimizer as they were at first."""

    def keep(self) -> None:
        """Take down trained parameters that something else is about to move, for :meth:`start`.

        The optimizer's steps do so themselves: before them there is no copy.
        """

    def count_in(self, names: Sequence[str]) -> None:
        """Count these among the weights, parameters of the framework's own names."""

    def run(self, batch: Batch, step: int, given: Mapping[int, np.ndarray] | None = None) -> Run:
        """Call the model in training mode and watch it; buffers stay as they are."""

    def gradients(
        self, batch: Batch, step: int, only: Collection[Key] | None = None
    ) -> tuple[float, Gradients]:
        """Loss, penalties included, and what it gives for weights; moves buffers.

        Args:
            batch: what the loss is of.
            step: of the training, from 0.
            only: these weights; None: every one.

        Raises:
            ParityError: the loss cannot be had.
        """

    def apply(self, gradients: Gradients) -> None:
        """One step of the optimizer with these; a weight without one has none."""

    def weights(self) -> Mapping[Key, np.ndarray]:
        """Parameters and buffers as they are; PyTorch's each at the time that it is asked for."""

    def settings_of(self, key: Key) -> Settings | None:
        """The optimizer of a weight; None where it is of no kind that is known."""

    def frozen(self, key: Key) -> bool:
        """Whether a weight is kept from training."""


class KerasTrainer(Trainer, Protocol):
    """What only Keras's side tells: what PyTorch's shall do as well."""

    shared: bool
    """Whether both have the same loss, of probabilities where the model gives such."""

    loss_settings: Settings | None
    """Of a loss of Keras's own."""

    spec: OptimizerSpec | None
    """Of an optimizer of Keras's own."""

    schedule: Settings | None
    """Of a schedule of Keras's own; none where the rate stays as it is."""

    def rate(self) -> float:
        """Of the next step."""

    def penalty(self) -> float:
        """Share of the last loss that came from the model's own penalties."""

    def first_of(self, key: Key) -> np.ndarray:
        """A weight as it was at first."""

    def penalties(self) -> dict[str, dict[str, Any]]:
        """Factors of the model's own penalties, by layer and what they are on: ``conv.kernel``."""


class TorchTrainer(Trainer, Protocol):
    """What only PyTorch's side can be made to do."""

    schedule: Settings | None
    """A schedule of Keras's that it shall follow."""

    rounded: bool
    """Whether its functions take their constants rounded to float32, as Keras's do."""

    attached: bool
    """Whether gradients pass through what the model's forward pass detaches."""

    given: dict[int, Mask]
    """Places of uniform draws of its code that have one of Keras's dropouts' numbers."""

    turned: set[int]
    """Those of them that are counted down from 1: what keeps below a share then keeps the same."""

    lying: list[bool]
    """Of each output, whether Keras's is as PyTorch's lies, so that neither is turned."""

    def loss_of(self, outputs: Sequence[np.ndarray], batch: Batch) -> float:
        """The loss of outputs as Keras's model returned them."""

    def take(self, layer: str, values: Mapping[str, float]) -> bool:
        """Give a layer constants of Keras's: ``momentum``, ``epsilon``, ``negative_slope``.

        Returns:
            Whether any was another before.
        """

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


def as_they_lie(run: Run) -> list[np.ndarray]:
    """Likewise, as the model returned them."""
    return [run.lying.get(name, value) for name, value in run.outputs.items()]
