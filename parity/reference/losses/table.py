"""The losses that a spec can name: Keras's class for each, and the models that it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

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
