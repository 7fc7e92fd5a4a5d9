"""The losses that a spec can name: Keras's class for each, and the models that it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parity.constants import as_float32
from parity.errors import ParityError

if TYPE_CHECKING:
    from parity.specs.base import ModelSpec
    from parity.specs.run import TrainingSpec

CROSSENTROPY = "crossentropy"
SPARSE = "SparseCategoricalCrossentropy"
"""The one class that takes class numbers for labels; all others take one-hot ones, or 0 and 1."""


@dataclass(frozen=True)
class Loss:
    """A row of the table.

    Attributes:
        kind: the class's name in ``keras.losses`` and in ``torch_impl.nn``.
        heads, outputs: of the models that it is for.
        why: the reason, where it is not for all.
    """

    kind: str
    heads: tuple[str, ...] = ("softmax", "sigmoid")
    outputs: tuple[str, ...] = ("logits", "probabilities")
    why: str = ""


ONE_OF_MANY = ("softmax",)
POSITIVE = ("probabilities",)

LOSSES = {
    CROSSENTROPY: Loss(SPARSE),  # or the one of three that head and labels call for, see below
    "mean_squared_error": Loss("MeanSquaredError"),
    "mean_absolute_error": Loss("MeanAbsoluteError"),
    "huber": Loss("Huber"),
    "log_cosh": Loss("LogCosh"),
    "kl_divergence": Loss(
        "KLDivergence", ONE_OF_MANY, POSITIVE, "it compares distributions over classes"
    ),
    "hinge": Loss("Hinge"),
    "squared_hinge": Loss("SquaredHinge"),
    "categorical_hinge": Loss("CategoricalHinge", ONE_OF_MANY, why="it compares classes"),
    "poisson": Loss("Poisson", outputs=POSITIVE, why="it takes their logarithms"),
    "cosine_similarity": Loss(
        "CosineSimilarity", ONE_OF_MANY, why="one output alone has no direction"
    ),
}
"""Name in a spec to row; the names are Keras's."""


def check_options(training: TrainingSpec) -> None:
    """Refuse an option of another loss than the chosen one.

    Raises:
        ParityError: label smoothing without the cross-entropy, or Huber's δ without Huber.
    """
    for option, usual, owner in (
        ("label_smoothing", 0.0, CROSSENTROPY),
        ("huber_delta", 1.0, "huber"),
    ):
        value = getattr(training, option)
        if value != usual and training.loss != owner:
            raise ParityError(
                f"{option}: received {value:g} with loss {training.loss!r}, "
                f"accepted: {usual:g}, or with {owner}"
            )


def check_model(model: ModelSpec, training: TrainingSpec) -> None:
    """Refuse a loss that makes no sense for a model.

    Raises:
        ParityError: it is for another head, or for probabilities and not for logits.
    """
    row = LOSSES[training.loss]
    for field, accepted in (("head", row.heads), ("output", row.outputs)):
        received = getattr(model, field)
        if received not in accepted:
            raise ParityError(
                f"loss: received {training.loss!r} with {field} {received!r}, "
                f"accepted: {field} {' or '.join(accepted)} ({row.why})"
            )


def class_of(model: ModelSpec, training: TrainingSpec) -> tuple[str, dict[str, Any]]:
    """Name of the loss's class, and its arguments, as Keras and ``torch_impl.nn`` both call them.

    The cross-entropy is the binary one of a sigmoid head, else the sparse one of class numbers,
    which takes no label smoothing: with it, the one of one-hot labels.
    """
    given: dict[str, Any] = {"reduction": "sum_over_batch_size"}
    if training.loss == "huber":
        given["delta"] = as_float32(training.huber_delta)
    if training.loss == "cosine_similarity":
        given["axis"] = -1
    if training.loss != CROSSENTROPY:
        return LOSSES[training.loss].kind, given
    given["from_logits"] = model.output == "logits"
    smoothing = as_float32(training.label_smoothing)
    if not smoothing and model.head == "softmax":
        return SPARSE, given
    given["label_smoothing"] = smoothing
    return f"{'Binary' if model.head == 'sigmoid' else 'Categorical'}Crossentropy", given
