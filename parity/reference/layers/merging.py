"""Layers with several inputs: sum, product, mean, maximum, concatenation and others.

Sources: ``tf_keras/src/layers/merging/`` and ``keras/src/layers/merging/``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.reference.difference import Difference
from parity.reference.layers.kinds import layer_kind


@layer_kind("add", family="merging")
@dataclass(frozen=True, kw_only=True)
class Add:
    """The sum of the inputs."""

    keras: ClassVar[str] = "Add"


@layer_kind("multiply", family="merging")
@dataclass(frozen=True, kw_only=True)
class Multiply:
    """The product of the inputs."""

    keras: ClassVar[str] = "Multiply"


@layer_kind("subtract", family="merging")
@dataclass(frozen=True, kw_only=True)
class Subtract:
    """The first input minus the second."""

    keras: ClassVar[str] = "Subtract"


@layer_kind("average", family="merging")
@dataclass(frozen=True, kw_only=True)
class Average:
    """The mean of the inputs: their sum divided by ``of``, or by their number if that is 0."""

    keras: ClassVar[str] = "Average"
    of: int = 0


@layer_kind("maximum", family="merging")
@dataclass(frozen=True, kw_only=True)
class Maximum:
    """The largest of the inputs, entry by entry."""

    keras: ClassVar[str] = "Maximum"


@layer_kind("minimum", family="merging")
@dataclass(frozen=True, kw_only=True)
class Minimum:
    """The smallest of the inputs, entry by entry."""

    keras: ClassVar[str] = "Minimum"


@layer_kind("concatenate")
@dataclass(frozen=True, kw_only=True)
class Concatenate:
    """Concatenation along an axis; the batch axis counts as 0."""

    keras: ClassVar[str] = "Concatenate"
    axis: int


KERAS_DEFAULTS: dict[str, dict[str, Any]] = {"Concatenate": {"axis": -1}}
TORCH_DEFAULTS: dict[str, dict[str, Any]] = {}


Merging = Add | Multiply | Subtract | Average | Maximum | Minimum | Concatenate


def reference(
    config: Merging,
    weights: Mapping[str, np.ndarray],
    x: Sequence[np.ndarray],
) -> np.ndarray:
    """Combine the inputs; except for concatenation, missing axes are added after the batch axis.

    Args:
        config: the layer.
        weights: none.
        x: arrays (N, …).
    """
    if isinstance(config, Concatenate):
        return np.concatenate(x, config.axis)
    most = max(one.ndim for one in x)
    shaped = (one.reshape(len(one), *(1,) * (most - one.ndim), *one.shape[1:]) for one in x)
    found = functools.reduce(OPERATIONS[type(config)], shaped)
    return np.asarray(found / (config.of or len(x)) if isinstance(config, Average) else found)


OPERATIONS: dict[type, np.ufunc] = {
    Add: np.add,
    Average: np.add,
    Multiply: np.multiply,
    Subtract: np.subtract,
    Maximum: np.maximum,
    Minimum: np.minimum,
}
"""Layer to the operation that combines two inputs."""


DIFFERENCES = (
    Difference(
        id="concatenate.axis",
        kind="merging",
        title="the last axis in Keras, the first in PyTorch",
        what="Concatenate() joins along the last axis, which holds the channels. torch.cat joins "
        "along the first axis by default, and channels are on the second. dim=-1, copied from "
        "Keras, joins images along their width.",
        why="With square images the result has a plausible shape.",
        to_torch="torch.cat((a, b), dim=1) on channels-first input",
        to_keras="Concatenate(axis=-1)",
        size=float("inf"),
        measured="4×4 images of 3 channels, dim=-1: a different shape",
        rung="forward_eval",
        source="keras/src/layers/merging/concatenate.py",
    ),
    Difference(
        id="add.broadcast",
        kind="merging",
        title="missing axes are added after the batch axis in Keras, before it in PyTorch",
        what="Add treats an input (N, C) as (N, 1, C) when the other is (N, T, C). PyTorch and "
        "NumPy treat it as (1, N, C); where N = T, each example is added to the steps of other "
        "examples.",
        why="Keras's layers know that the first axis is the batch. Multiply, Subtract, Average, "
        "Maximum and Minimum do the same.",
        to_torch="a[:, None] + b",
        size=1,
        measured="5 vectors of 3 entries and 5 sequences of 5 steps",
        rung="forward_eval",
        source="keras/src/layers/merging/base_merge.py",
    ),
)
