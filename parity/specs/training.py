"""DataSpec and TrainingSpec: the data set, the loss, batches, epochs and the seed."""

from __future__ import annotations

from dataclasses import dataclass

from parity.errors import ParityError
from parity.options import Checked, option
from parity.reference.losses.table import CROSSENTROPY, LOSSES


def check_options(training: TrainingSpec) -> None:
    """Check that options of a loss are only given with that loss.

    Raises:
        ParityError: label smoothing without the cross-entropy, or Huber's δ without ``huber``.
    """
    for name, default, owner in (
        ("label_smoothing", 0.0, CROSSENTROPY),
        ("huber_delta", 1.0, "huber"),
    ):
        value = getattr(training, name)
        if value != default and training.loss != owner:
            raise ParityError(
                f"{name}: received {value:g} with loss {training.loss!r}, "
                f"accepted: {default:g}, or with {owner}"
            )


@dataclass(frozen=True, kw_only=True)
class DataSpec(Checked):
    """The data set, its checksum, and the positive class for a sigmoid head."""

    name: str = option(help="data set", flag=False, kind=str)
    size: str = option(help="embedded or full", flag=False, kind=str, choices=("embedded", "full"))
    sha256: str = option(help="checksum of the data", flag=False, kind=str)
    positive_class: int = option(
        0, help="sigmoid head: the class with label 1", kind=int, minimum=0
    )


@dataclass(frozen=True, kw_only=True)
class TrainingSpec(Checked):
    """Loss, batch size, epochs, and the seed of weights, batch order and masks."""

    batch_size: int = option(64, help="examples per step", kind=int, minimum=1)
    epochs: int = option(3, help="passes over the training data", kind=int, minimum=1)
    loss: str = option(
        CROSSENTROPY,
        help="training loss, by Keras's name, on one-hot labels, or on 0 and 1 for a sigmoid head; "
        "evaluate and the ladder always report the test set's cross-entropy",
        kind=str,
        choices=tuple(LOSSES),
    )
    huber_delta: float = option(
        1.0, help="loss huber: error above which it is linear", kind=float, above=0
    )
    class_weights: tuple[float, ...] = option(
        (),
        help="weight of each class in the training loss",
        kind=float,
        many=True,
        minimum=0,
    )
    label_smoothing: float = option(
        0.0,
        help="share of each label that is spread evenly over all classes, in the training loss",
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
