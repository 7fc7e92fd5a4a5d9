"""Where two runs part first: the layer, or the data, the loss, the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parity import rungs
from parity.ladder.record import Record
from parity.verdict.checks import Check

DATA, LOSS, OPTIMIZER = "data", "loss", "optimizer"
"""What can be to blame besides a layer."""


@dataclass(frozen=True)
class Blame:
    """The first divergence and what it hangs on.

    Attributes:
        check: the first check that failed, along the ladder.
        part: canonical name of the layer; or data, loss, optimizer; empty if none can be named.
        step: number of the optimizer step, from 1; None before any, or if not known.
        names: what (the reference, the other) call the layer; empty texts if it is none.
        own: the layer's check when it was fed the reference's own input; None if not replayed.
        others: further layers that fail by themselves.
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
    """What the first divergence hangs on.

    As they ran, everything before ``first`` agrees, so what made it is to blame. A replay then
    says whether the layer fails by itself, fed the reference's own input; if it does not, the
    difference comes from between the layers, or rounding adds up.

    Args:
        first: the first failed check.
        records: (the reference, the other).
        own: checks of a replay, in the order of the ladder; empty if there was none.
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
    """What made the tensor of a check: (layer, data, loss, optimizer or nothing, step or None)."""
    role = rungs.role_of(check.rung, check.tensor)
    step = check.step or role.step
    if check.rung == rungs.TRAINING:  # no more is known than where it shows
        return "", step
    if role.kind == "weight" and step is None:
        step = record.header.steps
    owner = role.owner if role.owner in layers else ""
    if role.kind == "input":
        return DATA, step
    if role.kind == "output gradient" and owner:  # handed down by the layer behind it
        behind = layers.index(owner) + 1
        return (layers[behind] if behind < len(layers) else LOSS), None
    if role.kind == "slot" or (role.kind == "weight" and role.parameter in record.header.trainable):
        return OPTIMIZER, step
    if role.kind == "other" and role.owner in ("loss", "losses") and check.rung != "predictions":
        return (LOSS if _known_before(step, record) else ""), step
    return owner, step


def _known_before(step: int | None, record: Record) -> bool:
    """Whether the weights before a step were kept, so that its loss can be told from theirs."""
    return not step or step - 1 in (0, 1, *rungs.snapshots(record.header.steps))
