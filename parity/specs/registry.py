"""The registered model families; their implementations are ``models/<family>.py``."""

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
    """Return the class name of a family in both implementations: ``cnn`` → ``CnnClassifier``."""
    return "".join(part.capitalize() for part in family.split("_")) + "Classifier"
