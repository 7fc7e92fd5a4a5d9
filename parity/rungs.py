"""The rungs of the ladder, and the names of a record's tensors.

A tensor's name is ``dtype/rung/…``:

=========================  ====================================================================
``parameters``             ``conv_1/kernel``
``forward_eval``           ``input``, then a layer's name for its output: ``conv_1``
``forward_train``          the same, and the mask of a dropout layer: ``dropout_1/mask``
``loss``                   ``loss``
``gradients``              ``conv_1/kernel``; with respect to a layer's output: ``conv_1/output``
``step``                   the inputs of the first step (``input``, ``labels``, ``lengths``,
                           ``dropout_1/mask``), its ``loss``, and after it
                           ``slots/m/conv_1/kernel`` and ``weights/conv_1/kernel``
``steps``                  ``losses`` of all steps, ``weights/conv_1/kernel`` after the last; for
                           recorded steps in between the same as for ``step``, without slots:
                           ``3/labels``, ``3/weights/conv_1/kernel``
``predictions``            ``outputs``, ``labels``, ``accuracy``, ``loss``; for float32 training
                           from several seeds ``over_seeds/labels``, ``…/accuracy``, ``…/loss``
``training``               for a training over epochs: ``losses`` of all steps, metrics by epoch
                           such as ``history/val_loss``, the number of ``epochs``, and at the end
                           ``weights/conv_1/kernel``, ``outputs`` and ``labels`` of the test set
=========================  ====================================================================

For a layer that draws random numbers instead of a mask, ``mask`` holds these numbers, in float32
whatever the dtype. Gradients of layer outputs, and the inputs and loss of single steps, are
recorded in float64 only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")

RUNGS: dict[str, str] = {
    "parameters": "parameters",
    "forward_eval": "forward (eval)",
    "forward_train": "forward (train)",
    "loss": "loss",
    "gradients": "gradients",
    "step": "after one step",
    "steps": "after k steps",
    "predictions": "predictions",
}
"""Title of each rung, in the order of the ladder. A step is an optimizer step."""

TRAINING = "training"
"""The optional rung after the ladder: a training over epochs."""

TITLES: dict[str, str] = {**RUNGS, TRAINING: "whole training"}
"""Title of every rung that a record can contain, in the order of comparison."""

FORWARD = {"forward_eval": False, "forward_train": True}
"""The forward rungs, and whether the model is in training mode."""

MODEL_INPUTS = ("input", "lengths", "labels")
"""Names of a model's inputs, without the masks, which are named after their layer."""

OVER_SEEDS = ("labels", "accuracy", "loss")
"""Tensors recorded for each seed: predicted labels and accuracy on the test set, and the training
loss averaged over the second half of the steps."""

SNAPSHOTS = (*range(2, 11), *(digit * 10**power for power in (1, 2, 3) for digit in (2, 5, 10)))
"""Steps after which weights are recorded, besides the first and the last: each of the first ten, so
that the first step with a difference is known; then three per power of ten."""


def snapshots(steps: int) -> list[int]:
    """Return the steps between the first and the last after which weights are recorded."""
    return [step for step in SNAPSHOTS if step < steps]


def title(rung: str, steps: int) -> str:
    """Return the title of a rung, for a ladder of ``steps`` steps."""
    return TITLES[rung].replace("k steps", f"{steps} steps" if steps > 1 else "the last step")


def join(*parts: str) -> str:
    """Return the name of a tensor from its parts: dtype, rung, and the rest."""
    return "/".join(parts)


def split(name: str) -> tuple[str, str, str]:
    """Split a tensor's name into dtype, rung and the rest."""
    dtype, rung, rest = name.split("/", 2)
    return dtype, rung, rest


def with_prefix(prefix: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return ``values`` with ``prefix/`` put before each name."""
    return {f"{prefix}/{name}": value for name, value in values.items()}


@dataclass(frozen=True)
class TensorRole:
    """What a tensor of a rung is, as read from its name.

    Attributes:
        kind: ``input`` (of the model), ``mask``, ``output`` (of a layer), ``parameter``,
            ``gradient`` (of a parameter), ``output gradient``, ``slot``, ``weight`` (after a step)
            or ``other``.
        owner: the layer; for ``input`` and ``other`` the rest of the name.
        parameter: canonical name of the parameter that it belongs to, or None.
        step: number of the step, from 1; None for the last step, or if it belongs to no step.
    """

    kind: str
    owner: str
    parameter: str | None = None
    step: int | None = None


def role_of(rung: str, rest: str) -> TensorRole:
    """Return what a tensor is, from its rung and the rest of its name (see :func:`split`)."""
    number, _, inner = rest.partition("/")
    if rung == "steps" and re.fullmatch("[1-9][0-9]{0,7}", number):
        return _of_step(inner, int(number))
    if rung in ("step", "steps"):
        return _of_step(rest, 1 if rung == "step" else None)
    if rung == TRAINING:
        return _of_step(rest, None) if number == "weights" else TensorRole("other", rest)
    layer, _, entry = rest.rpartition("/")
    if rung == "parameters":
        return TensorRole("parameter", rest.split("/")[0], rest)
    if rung == "gradients":
        if entry == "output":
            return TensorRole("output gradient", layer)
        return TensorRole("gradient", rest.split("/")[0], rest)
    if rung in FORWARD:
        if rest in MODEL_INPUTS:
            return TensorRole("input", rest)
        return TensorRole("mask", layer) if entry == "mask" else TensorRole("output", rest)
    return TensorRole("other", rest)


def _of_step(rest: str, step: int | None) -> TensorRole:
    kind, _, name = rest.partition("/")
    if kind == "weights":
        return TensorRole("weight", name.split("/")[0], name, step)
    if kind == "slots":
        parameter = name.partition("/")[2]
        return TensorRole("slot", parameter.split("/")[0], parameter, step)
    if name == "mask":
        return TensorRole("mask", kind, None, step)
    return TensorRole("input" if rest in MODEL_INPUTS else "other", rest, None, step)
