"""Gradients of two models in float32, held against what rounding explains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parity.adapters.trainer import Batch
from parity.numerics import tolerance
from parity.numerics.arrays import distance
from parity.pairs import allowance
from parity.pairs.forward.compare import Findings
from parity.pairs.training.forward import FUSED, Forward
from parity.pairs.training.setup import count_in, refuse_targets, trainers
from parity.progress import Progress
from parity.verdict.result import Divergence


def compared(
    found: Findings,
    batch: Batch,
    loss: Any,
    seed: int,
    layer_map: Mapping[str, str] | None,
) -> tuple[list[Divergence], list[str]]:
    """How far each gradient stands apart in float32, from the loss backwards, and how far it may.

    Args:
        found: both models in float32, which have run.
        batch: as of :func:`parity.pairs.training.session.train_findings`; so are the next three.
        loss: likewise.
        seed: likewise.
        layer_map: likewise.

    Returns:
        One for each, and sentences on what draws numbers of its own.

    Raises:
        ParityError: the loss cannot be had.
    """
    k, t = trainers(found.keras, found.torch, loss, None, seed)
    try:
        with Progress("gradients in float32", 2) as progress:
            seen = Forward(k, t, batch, found.keras.flavour, seed, set())
            seen.run(layer_map)
            refuse_targets(k, batch, seen.keras_run)
            seen.tell()
            held = count_in(found.keras, found.torch, k, t, seen.alignment)
            both = [*held, *seen.alignment.weights()]
            seen.keras_run.forget()
            seen.torch_run.forget()
            found.forget()
            _, own = k.gradients(batch, 0)
            _, other = t.gradients(batch, 0)
            progress.advance("as they are")
            t.start()
            k.start()
            given = batch, tolerance.FLOAT32_FLOOR, "float32"
            ours = allowance.gradients_allowed(found.keras, k, *given)
            others = allowance.gradients_allowed(found.torch, t, *given)
            progress.advance("with weights moved by rounding")
    finally:
        k.start()
        t.start()
    apart = []
    for key, theirs in reversed(both):
        if key not in own and theirs not in other:
            continue
        there = key in own and theirs in other
        away = distance(own[key], other[theirs]) if there else float("inf")
        allowed = max(ours.get(key, 0.0), others.get(theirs, 0.0))
        apart.append(Divergence("gradients", key[0], theirs[0], key[1], away, allowed))
    return apart, [note for note in seen.notes if note != FUSED]
