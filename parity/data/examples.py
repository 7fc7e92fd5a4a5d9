"""Conversion of a data set's examples to a model's input shape and labels."""

from __future__ import annotations

import numpy as np

from parity.data.datasets import Split
from parity.errors import ParityError
from parity.specs.run import Spec


def for_model(spec: Spec, split: Split) -> Split:
    """Return a split with x float32 (N, *input_shape), and with y 0 or 1 for a sigmoid head.

    A model with variable lengths gets the full length for data without lengths.

    Raises:
        ParityError: the examples do not have the size of the spec's input shape.
    """
    shape = spec.model.input_shape
    count = len(split.x)
    if split.x[0].size != np.prod(shape):
        raise ParityError(
            f"dataset {spec.data.name}: received examples of shape {split.x.shape[1:]}, "
            f"accepted by the spec: {shape}"
        )
    y = split.y
    if spec.model.head == "sigmoid":
        y = (y == spec.data.positive_class).astype(np.int64)
    lengths = split.lengths
    if not getattr(spec.model, "variable_length", False):
        lengths = None
    elif lengths is None:
        lengths = np.full(count, shape[0], np.int64)
    return Split(x=split.x.reshape(count, *shape), y=y, lengths=lengths)


def check_positive_class(positive_class: int, classes: int, name: str) -> None:
    """Check that a positive class is one of the ``classes`` classes of data set ``name``.

    Raises:
        ParityError: it is out of range.
    """
    if positive_class >= classes:
        raise ParityError(
            f"positive_class: received {positive_class}, accepted: 0 to {classes - 1} "
            f"({name} has {classes} classes)"
        )
