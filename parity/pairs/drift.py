"""How far apart the two models are in float32, which is what their users run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from parity import tolerance
from parity.errors import ParityError
from parity.pairs import rounding
from parity.pairs.calls import Output
from parity.pairs.divergence import Divergence, distance
from parity.pairs.findings import Findings
from parity.pairs.in_training import FUSED, Forward
from parity.pairs.opening import STAGES, aligned
from parity.pairs.report import Drift
from parity.pairs.starting import count_in, refuse_targets, trainers
from parity.pairs.trainer import Batch
from parity.progress import Progress


def drift(
    keras_model: Any,
    torch_model: Any,
    inputs: list[np.ndarray],
    own: list[np.ndarray] | None,
    weights: str,
    layer_map: Mapping[str, str] | None,
    *,
    batch: Batch | None = None,
    loss: Any = None,
    seed: int = 0,
) -> tuple[Drift, ...]:
    """Run both in float32.

    Args:
        keras_model: as of :func:`parity.pairs.opening.aligned`; so are the next five.
        torch_model: likewise.
        inputs: likewise.
        own: likewise.
        weights: likewise.
        layer_map: likewise.
        batch: what gradients are of; None: of outputs alone.
        loss: as of :func:`parity.pairs.training.train_findings`.
        seed: likewise.

    Returns:
        Of outputs, then of gradients; none where a model cannot be had in float32.
    """
    drifts = []
    try:
        with Progress("float32", STAGES) as progress:
            found, _ = aligned(
                keras_model, torch_model, inputs, own, weights, layer_map, "float32", progress
            )
        ends = [pair for pair in found.alignment.pairs if isinstance(pair[0].config, Output)]
        apart = [distance(k.output, t.output) for k, t in ends]
        found.keras_run.forget()
        rounding.allow(found.torch, found.torch_run, found.alignment, inputs, own)
        found.torch_run.forget()
        drifts += [
            Drift("forward_eval", away, k.allowed) for away, (k, _) in zip(apart, ends, strict=True)
        ]
        if batch is not None:
            drifts += [
                Drift(one.rung, one.observed, one.allowed)
                for one in gradients(found, batch, loss, seed, layer_map)[0]
            ]
    except ParityError:
        pass
    return tuple(
        max((one for one in drifts if one.rung == rung), key=lambda one: one.share)
        for rung in dict.fromkeys(one.rung for one in drifts)
    )


def gradients(
    found: Findings,
    batch: Batch,
    loss: Any,
    seed: int,
    layer_map: Mapping[str, str] | None,
) -> tuple[list[Divergence], list[str]]:
    """How far each gradient stands apart in float32, from the loss backwards, and how far it may.

    Args:
        found: both models in float32, which have run.
        batch: as of :func:`parity.pairs.training.train_findings`; so are the next three.
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
            ours = rounding.gradients_allowed(found.keras, k, *given)
            others = rounding.gradients_allowed(found.torch, t, *given)
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
