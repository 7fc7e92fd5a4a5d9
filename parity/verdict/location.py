"""Where a check belongs: to a layer, or to the data, the loss or the optimizer, at which step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from parity import rungs
from parity.ladder.record import Record
from parity.verdict.result import Check

DATA, LOSS, OPTIMIZER = "data", "loss", "optimizer"
"""Locations other than a layer."""


def located(check: Check, reference: Record, other: Record) -> Check:
    """A check of two records with its location, the layer's names on both sides, and the step."""
    layers = [layer.name for layer in reference.header.spec.model.layers()]
    location, step = location_of(check, reference, layers)
    return replace(
        check,
        location=location,
        step=step,
        keras_layer=reference.header.layers.get(location),
        torch_module=other.header.layers.get(location),
    )


def location_of(check: Check, record: Record, layers: Sequence[str]) -> tuple[str, int | None]:
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
