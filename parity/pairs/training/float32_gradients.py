"""Gradients of two models in float32, compared with what rounding explains."""

from __future__ import annotations

from typing import Any

from parity.adapters.trainer import Batch
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.pairs import allowance
from parity.pairs.forward.setup import Models, Pair
from parity.pairs.training.forward import FUSED, unshared_draws
from parity.pairs.training.runs import Runner
from parity.pairs.training.setup import count_in, refuse_targets, trainers
from parity.progress import Progress
from parity.verdict.result import Divergence


def compare(
    models: Models, pair: Pair, batch: Batch, loss: Any, seed: int
) -> tuple[list[Divergence], list[str]]:
    """Each gradient's difference in float32, from the loss back, and what is allowed.

    Args:
        models: what is compared.
        pair: both models in float32, which have run.
        batch: what the gradients are of.
        loss: see :func:`parity.pairs.check.check`.
        seed: of the shared random numbers.

    Returns:
        One for each gradient, whether it differs or not; notes on random numbers that cannot be
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
            unowned = count_in(pair.keras, pair.torch, k, t, runs.alignment)
            keys = [*unowned, *runs.alignment.weights()]
            runs.release()
            pair.release()
            _, expected = k.gradients(runs.batch, 0)
            _, actual = t.gradients(runs.batch, 0)
            progress.advance("as they are")
            t.start()
            k.start()
            rest = runs.batch, tolerance.ROUNDING_MAX, "float32"
            keras_allowed = allowance.gradients_allowed(pair.keras, k, *rest)
            torch_allowed = allowance.gradients_allowed(pair.torch, t, *rest)
            progress.advance("with weights changed by rounding")
    finally:
        k.start()
        t.start()
    found = []
    for key, other in reversed(keys):
        if key not in expected and other not in actual:
            continue
        both = key in expected and other in actual
        observed = relative_error(expected[key], actual[other]) if both else float("inf")
        allowed = max(keras_allowed.get(key, 0.0), torch_allowed.get(other, 0.0))
        found.append(Divergence("gradients", key[0], other[0], key[1], observed, allowed))
    return found, [note for note in notes if note != FUSED]
