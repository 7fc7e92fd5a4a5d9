"""The first divergence of two records: its layer, or the data, the loss or the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parity import rungs
from parity.ladder.record import Record
from parity.verdict.checks import Check

DATA, LOSS, OPTIMIZER = "data", "loss", "optimizer"
"""Origins of a divergence other than a layer."""


@dataclass(frozen=True)
class Blame:
    """The first divergence and its origin.

    Attributes:
        check: the first failed check in the order of the ladder.
        part: canonical name of the layer; or data, loss, optimizer; empty if not known.
        step: number of the optimizer step, from 1; None before the first, or if not known.
        names: the layer's name in (the reference, the other); empty if it is not a layer.
        own: the layer's check with the reference's input; None without a replay.
        others: further layers that differ with the reference's input.
    """

    check: Check
    part: str
    step: int | None
    names: tuple[str, str]
    own: Check | None = None
    others: tuple[str, ...] = ()


def blame(
    first: Check, records: tuple[Record, Record], own: Sequence[Check], layers: Sequence[str]
) -> Blame:
    """Return the origin of the first divergence.

    Everything upstream of ``first`` agrees, so the part that computed it is the origin. A replay
    shows whether the layer also differs when it has the reference's input; if it does not, the
    difference arises between the layers, or rounding errors add up.

    Args:
        first: the first failed check.
        records: (the reference, the other).
        own: checks of a replay, in the order of the ladder; empty without a replay.
        layers: canonical names in the order of the forward pass.
    """
    part, step = part_of(first, records[0], layers)
    names = tuple(record.header.layers.get(part, "") for record in records)
    of_part: Check | None = None
    others: list[str] = []
    for check in own:
        layer, _ = part_of(check, records[0], layers)
        if layer == part and check.rung == first.rung:
            if of_part is None or (of_part.ok and not check.ok):
                of_part = check
        elif not check.ok and layer not in (*others, part):
            others.append(layer)
    return Blame(first, part, step, (names[0], names[1]), of_part, tuple(others))


def part_of(check: Check, record: Record, layers: Sequence[str]) -> tuple[str, int | None]:
    """Return what computed a check's tensor: a layer, data, loss, optimizer or "", and the step."""
    role = rungs.role_of(check.rung, check.tensor)
    step = check.step or role.step
    if check.rung == rungs.TRAINING:  # the origin is not recorded
        return "", step
    if role.kind == "weight" and step is None:
        step = record.header.steps
    owner = role.owner if role.owner in layers else ""
    if role.kind == "input":
        return DATA, step
    if role.kind == "output gradient" and owner:  # computed by the next layer
        following = layers.index(owner) + 1
        return (layers[following] if following < len(layers) else LOSS), None
    if role.kind == "slot" or (role.kind == "weight" and role.parameter in record.header.trainable):
        return OPTIMIZER, step
    if role.kind == "other" and role.owner in ("loss", "losses") and check.rung != "predictions":
        return (LOSS if _known_before(step, record) else ""), step
    return owner, step


def _known_before(step: int | None, record: Record) -> bool:
    """Return whether the weights before a step were recorded, which its loss depends on."""
    return not step or step - 1 in (0, 1, *rungs.snapshots(record.header.steps))
