"""The registry: one row per model family. A twin stands in ``models/<name>.py`` of each implementation."""

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
    """Name of the twins' class for a model family, the same in both: ``cnn`` → ``CnnClassifier``."""
    return "".join(part.capitalize() for part in family.split("_")) + "Classifier"
