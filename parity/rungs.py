"""The ladder's rungs, and how the tensors of a record are named after them.

A tensor's name is ``dtype/rung/…``:

=========================  ====================================================================
``parameters``             ``conv_1/kernel``
``forward_eval``           ``input``, then a layer's name for its output: ``conv_1``
``forward_train``          likewise, and the mask that a dropout layer was given: ``dropout_1/mask``
``loss``                   ``loss``
``gradients``              ``conv_1/kernel``; with respect to a layer's output: ``conv_1/output``
``step``                   what training was fed: ``input``, ``labels``, ``lengths``,
                           ``dropout_1/mask``; its ``loss``; then ``slots/m/conv_1/kernel`` and
                           ``weights/conv_1/kernel``
``steps``                  ``losses`` of all steps, ``weights/conv_1/kernel`` after the last; in
                           between the same as for ``step`` but the slots: ``3/labels``,
                           ``3/weights/conv_1/kernel``
``predictions``            ``outputs``, ``labels``, ``accuracy``, ``loss``; of float32 trained
                           from several seeds ``over_seeds/labels``, ``…/accuracy``, ``…/loss``
``training``               of a whole training: ``losses`` of all steps, ``history/val_loss`` and so
                           on by epoch, number of ``epochs``, ``weights/conv_1/kernel``,
                           ``outputs`` and ``labels`` of the test set at its end
=========================  ====================================================================

The mask of a layer that draws no mask but numbers is those, in float32 whatever the dtype.
Layers' gradients, what training was fed and its loss by step are recorded in float64 only, which
decides.
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
"""Rung to what a person reads, in the order of the ladder. A step is one of the optimizer."""

WHOLE = "training"
"""A whole training, which a record holds if it was asked for; it stands behind the ladder."""

TITLES: dict[str, str] = {**RUNGS, WHOLE: "whole training"}
"""Everything that a record can hold, in the order of comparing."""

FORWARD = {"forward_eval": False, "forward_train": True}
"""The forward rungs, and whether they run in training mode."""

FED = ("input", "lengths", "labels")
"""What a model is fed, by name; masks stand with their layer."""

OVER_SEEDS = ("labels", "accuracy", "loss")
"""What is kept of each seed, by name: predictions on the test set and their accuracy; the loss is
the mean over the second half of the training steps."""

SNAPSHOTS = (*range(2, 11), *(digit * 10**power for power in (1, 2, 3) for digit in (2, 5, 10)))
"""Steps after which weights are kept, besides the first and the last: each of the first ten, so
that the step where two runs part is named; then three in each power of ten."""


def snapshots(steps: int) -> list[int]:
    """The steps between the first and the last after which a ladder keeps weights."""
    return [step for step in SNAPSHOTS if step < steps]


def title(rung: str, steps: int) -> str:
    """What a person reads for a rung of a ladder with ``steps`` steps."""
    return TITLES[rung].replace("k steps", f"{steps} steps" if steps > 1 else "the last step")


def join(*parts: str) -> str:
    """Name of a tensor from its parts, the dtype first."""
    return "/".join(parts)


def split(name: str) -> tuple[str, str, str]:
    """A tensor's name as (dtype, rung, the rest)."""
    dtype, rung, rest = name.split("/", 2)
    return dtype, rung, rest


def named(prefix: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """The values under names that begin with the prefix."""
    return {f"{prefix}/{name}": value for name, value in values.items()}


@dataclass(frozen=True)
class Meaning:
    """What the rest of a tensor's name says.

    Attributes:
        kind: ``fed``, ``mask``, ``output`` (of a layer), ``parameter``, ``gradient`` (of a
            parameter), ``output gradient``, ``slot``, ``weight`` (after a step), or ``other``.
        owner: the layer; for ``fed`` and ``other`` the name itself.
        parameter: canonical name of the parameter that it belongs to, or None.
        step: number of the step, from 1; None where it is the last, or there is none.
    """

    kind: str
    owner: str
    parameter: str | None = None
    step: int | None = None


def meaning(rung: str, rest: str) -> Meaning:
    """Read the rest of a tensor's name, as :func:`split` gives it."""
    number, _, inner = rest.partition("/")
    if rung == "steps" and re.fullmatch("[1-9][0-9]{0,7}", number):
        return _of_step(inner, int(number))
    if rung in ("step", "steps"):
        return _of_step(rest, 1 if rung == "step" else None)
    if rung == WHOLE:
        return _of_step(rest, None) if number == "weights" else Meaning("other", rest)
    layer, _, entry = rest.rpartition("/")
    if rung == "parameters":
        return Meaning("parameter", rest.split("/")[0], rest)
    if rung == "gradients":
        if entry == "output":
            return Meaning("output gradient", layer)
        return Meaning("gradient", rest.split("/")[0], rest)
    if rung in FORWARD:
        if rest in FED:
            return Meaning("fed", rest)
        return Meaning("mask", layer) if entry == "mask" else Meaning("output", rest)
    return Meaning("other", rest)


def _of_step(rest: str, step: int | None) -> Meaning:
    kind, _, name = rest.partition("/")
    if kind == "weights":
        return Meaning("weight", name.split("/")[0], name, step)
    if kind == "slots":
        parameter = name.partition("/")[2]
        return Meaning("slot", parameter.split("/")[0], parameter, step)
    if name == "mask":
        return Meaning("mask", kind, None, step)
    return Meaning("fed" if rest in FED else "other", rest, None, step)
