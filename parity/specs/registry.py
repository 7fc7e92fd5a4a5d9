"""The registry: a row per model family, whose twins stand in ``models/<family>.py``."""

from __future__ import annotations

from parity.specs.base import ModelSpec
from parity.specs.cnn import CnnSpec
from parity.specs.dropout import DropoutSpec
from parity.specs.rnn import RnnSpec
from parity.specs.softmax import SoftmaxSpec

MODELS: dict[str, type[ModelSpec]] = {
    "softmax": SoftmaxSpec,
    "dropout": DropoutSpec,
    "cnn": CnnSpec,
    "rnn": RnnSpec,
}


def class_name(family: str) -> str:
    """Name of both twins' class for a model family: ``cnn`` → ``CnnClassifier``."""
    return "".join(part.capitalize() for part in family.split("_")) + "Classifier"
