"""Gradients of two models in float32, compared with what rounding explains."""

from __future__ import annotations

from typing import Any

from parity import rungs
from parity.adapters.trainer import Batch, Key
from parity.pairs.forward.setup import Models, Pair
from parity.pairs.rounding import gradient_effects
from parity.pairs.training import gradients
from parity.pairs.training.forward import FUSED, unshared_draws
from parity.pairs.training.runs import Runner
from parity.pairs.training.setup import count_in, refuse_targets, trainers
from parity.progress import Progress
from parity.verdict.result import Check


def compare(
    models: Models, pair: Pair, batch: Batch, loss: Any, seed: int
) -> tuple[list[Check], list[str]]:
    """Each gradient's difference in float32, from the loss back, and what is allowed.

    Args:
        models: what is compared.
        pair: both models in float32, which have run.
        batch: what the gradients are of.
        loss: see :func:`parity.pairs.check.check`.
        seed: of the shared random numbers.

    Returns:
        The check of each gradient; notes on random numbers that cannot be
        shared.

    Raises:
        ParityError: the loss cannot be used, or a model cannot be run in training mode.
    """
    k, t = trainers(pair.keras, pair.torch, loss, None, seed)
    refuse_targets(k, batch, pair.keras_run)
    runner = Runner(k, t, pair.keras.flavour, models.layer_map)
    try:
        with Progress("gradients in float32", 2) as progress:
            runs = runner.run_alike(batch)
            notes = unshared_draws(runner, runs)
            unowned = count_in(pair, k, t, runs.alignment)
            keys = [*unowned, *runs.alignment.weights()]
            runs.release()
            pair.release()
            names = {"/".join(key): (key, other) for key, other in keys}
            effects: list[dict[Key, float]] = []

            def rounding(name: str) -> tuple[float, float]:
                key, other = names[rungs.split(name)[2]]
                return effects[0].get(key, 0.0), effects[1].get(other, 0.0)

            found = gradients.compare(k, t, runs.batch, [keys], rounding, "float32")
            progress.advance("as they are")
            t.start()
            k.start()
            effects += (gradient_effects(one, runs.batch, "float32") for one in (k, t))
            progress.advance("with weights changed by rounding")
    finally:
        k.start()
        t.start()
    checks = [
        found.observed.judged(gradients.observation(key, other))
        for key, other in reversed(keys)
        if key in found.sizes[0] or other in found.sizes[1]
    ]
    return checks, [note for note in notes if note != FUSED]
