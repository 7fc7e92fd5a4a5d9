"""The order in which a run computes its tensors, to find the first divergence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from parity import rungs
from parity.constants import DTYPES
from parity.ladder.contents import PREDICTIONS, TRAINED
from parity.ladder.record import Header
from parity.rungs import TensorRole
from parity.verdict.result import Check

KINDS = (
    *("input", "mask", "output gradient", "output", "other"),
    *("parameter", "gradient", "slot", "weight"),
)
"""Kinds of tensors, in the order in which a layer or a step computes them."""


class Place(NamedTuple):
    """Position of a check in the ladder; smaller positions come first.

    Attributes:
        rung: number of the rung.
        step: number of the optimizer step; 0 on rungs without steps.
        computed: within a step, its inputs come before its results.
        weights: within these, the loss comes before the weights.
        layer: number of the layer, in forward order; for gradients in backward order.
        kind: number of the kind.
        made: number within predictions or a training over epochs.
        tensor: name of the tensor, if all else is equal.
        dtype: float64 first.
    """

    rung: int
    step: int
    computed: bool
    weights: bool
    layer: int
    kind: int
    made: int
    tensor: str
    dtype: int


def in_order(checks: Iterable[Check], header: Header) -> tuple[Check, ...]:
    """Return checks in the order of the ladder of a record with this header."""
    layers = {layer.name: number for number, layer in enumerate(header.spec.model.layers())}
    return tuple(sorted(checks, key=lambda check: _place(check, header, layers)))


def _place(check: Check, header: Header, layers: Mapping[str, int]) -> Place:
    role = rungs.role_of(check.rung, check.tensor)
    several = check.rung == "steps"
    given = role.kind in ("input", "mask")
    made = {"predictions": PREDICTIONS, rungs.TRAINING: TRAINED}.get(check.rung, ())
    return Place(
        list(rungs.TITLES).index(check.rung),
        (check.step or role.step or header.steps) if several else 0,
        several and not given,
        (several or check.rung == rungs.TRAINING) and check.tensor not in ("epochs", "losses"),
        _layer(check.rung, role, header, layers),
        KINDS.index(role.kind),
        made.index(check.tensor) if check.tensor in made else 0,
        check.tensor,
        DTYPES.index(check.dtype),
    )


def _layer(rung: str, role: TensorRole, header: Header, layers: Mapping[str, int]) -> int:
    number = layers.get(role.owner, len(layers))
    if rung == "gradients":  # the gradient of its output, then of its parameters
        return -number if role.owner in layers else number
    if role.kind == "input":
        return -1
    if role.kind in ("slot", "weight") and role.parameter in header.trainable:
        return number + len(layers) + 1  # after everything that the forward pass changes
    return number
