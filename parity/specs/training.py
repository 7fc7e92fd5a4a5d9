"""What a training is: the loss, the batches, the data."""

from __future__ import annotations

from dataclasses import dataclass

from parity.errors import ParityError
from parity.options import Checked, option
from parity.reference.losses import table
from parity.reference.losses.table import CROSSENTROPY


def check_options(training: TrainingSpec) -> None:
    """Refuse an option of another loss than the chosen one.

    Raises:
        ParityError: label smoothing without the cross-entropy, or Huber's δ without Huber.
    """
    for name, usual, owner in (
        ("label_smoothing", 0.0, CROSSENTROPY),
        ("huber_delta", 1.0, "huber"),
    ):
        value = getattr(training, name)
        if value != usual and training.loss != owner:
            raise ParityError(
                f"{name}: received {value:g} with loss {training.loss!r}, "
                f"accepted: {usual:g}, or with {owner}"
            )


@dataclass(frozen=True, kw_only=True)
class DataSpec(Checked):
    """Which examples: the data set, the bytes it was read from, a sigmoid head's positive class."""

    name: str = option(help="data set", flag=False, kind=str)
    size: str = option(help="embedded or full", flag=False, kind=str, choices=("embedded", "full"))
    sha256: str = option(help="checksum of the data", flag=False, kind=str)
    positive_class: int = option(
        0, help="sigmoid head: the class that counts as one", kind=int, minimum=0
    )


@dataclass(frozen=True, kw_only=True)
class TrainingSpec(Checked):
    """How a model is trained: batches, epochs and the seed of all randomness."""

    batch_size: int = option(64, help="examples per step", kind=int, minimum=1)
    epochs: int = option(3, help="passes over the training data", kind=int, minimum=1)
    loss: str = option(
        table.CROSSENTROPY,
        help="training loss, by Keras's name, of one-hot labels or of 0 and 1; evaluate and the "
        "ladder report the cross-entropy of the test set whatever it is",
        kind=str,
        choices=tuple(table.LOSSES),
    )
    huber_delta: float = option(
        1.0, help="loss huber: the error from which on it is linear", kind=float, above=0
    )
    class_weights: tuple[float, ...] = option(
        (),
        help="weight of each class in the training loss, in the order of the classes",
        kind=float,
        many=True,
        minimum=0,
    )
    label_smoothing: float = option(
        0.0,
        help="share of each label in the training loss that all classes have alike",
        kind=float,
        minimum=0,
        below=1,
    )
    seed: int = option(
        0, help="seed of weights, batch order and masks", kind=int, minimum=0, below=2**63
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
