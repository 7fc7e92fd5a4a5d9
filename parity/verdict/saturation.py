"""Saturation: the step after which rounding errors determine the weights."""

from __future__ import annotations

import math
from collections import Counter

from parity.ladder.contents import PREDICTIONS
from parity.numerics import tolerance
from parity.verdict.pair import Pair
from parity.verdict.record_pair import RecordPair


def since(pair: RecordPair, dtype: str) -> int | None:
    """Return the first recorded step at which rounding dominates half of all trained entries."""
    spread: Counter[int] = Counter()
    entries: Counter[int] = Counter()
    if dtype == "float64" and pair.header.steps <= tolerance.STEPS:
        return None  # there is no ensemble
    for name, role in pair.roles.items():
        if not name.startswith(f"{dtype}/step") or role.kind != "weight":
            continue
        if pair.trains(role.parameter):
            size = pair.entries(name)
            entries[pair.step(role)] += size
            spread[pair.step(role)] += size * _over_its_scale(pair, name)
    return min((step for step in entries if 2 * spread[step] >= entries[step]), default=None)


def _over_its_scale(pair: RecordPair, name: str) -> bool:
    """Return whether rounding changes a tensor by a large share of its largest entry.

    Ensembles that are not finite, and tensors of zeros, do not count. In float64 both sides must
    be affected, so that one side's ensemble does not excuse the other.
    """
    wide = [
        scale > 0 and tolerance.SATURATED * scale <= moved < math.inf
        for moved, scale in zip(pair.rounding(name), pair.sizes(name)[0], strict=True)
    ]
    return any(wide) if name.startswith("float32") else all(wide)


def covers(pair: Pair, name: str, step: int | None) -> bool:
    """Return whether rounding determines a tensor, once it determines the weights of ``step``.

    Args:
        pair: the records.
        name: one of :attr:`Pair.both`.
        step: result of :func:`since` for the tensor's dtype.
    """
    if step is None:
        return False
    role = pair.roles[name]
    if role.kind == "weight":
        return pair.step(role) >= step
    if role.owner == "loss" and role.step:
        return role.step > step  # computed with the weights of the step before
    return role.kind == "other" and role.owner in ("losses", *PREDICTIONS)
