"""How much the two models differ in float32, which is what their users run."""

from __future__ import annotations

from typing import Any

from parity.adapters.trainer import Batch
from parity.errors import ParityError
from parity.pairs.forward.setup import STAGES, Models, prepare
from parity.pairs.rounding import output_rounding
from parity.pairs.training import float32_gradients
from parity.progress import Progress
from parity.verdict.model_pair import ModelPair, Observation
from parity.verdict.result import Check, Float32Deviation, worst


def float32_deviation(
    models: Models, batch: Batch | None, loss: Any, seed: int
) -> tuple[Float32Deviation, ...]:
    """Run both models in float32.

    Args:
        models: what is compared.
        batch: what gradients are of; None: of outputs alone.
        loss: see :func:`parity.pairs.check.check`.
        seed: of the shared random numbers.

    Returns:
        Of outputs, then of gradients; none where a model cannot be built or run in float32.
    """
    found: list[Check] = []
    try:
        with Progress("float32", STAGES) as progress:
            pair = prepare(models, "float32", progress)
        outputs = pair.outputs()
        observed = ModelPair("float32", rounding=output_rounding(pair, outputs))
        found += [
            observed.compare(
                Observation("forward_eval", k.name, "output", (k.name, t.name)), k.output, t.output
            )
            for k, t in outputs
        ]
        pair.keras_run.forget()
        pair.torch_run.forget()
        if batch is not None:
            found += float32_gradients.compare(models, pair, batch, loss, seed)[0]
    except ParityError:
        pass
    names = dict.fromkeys(one.rung for one in found)
    shown = (worst(one for one in found if one.rung == rung) for rung in names)
    return tuple(Float32Deviation(one.rung, one.observed, one.allowed) for one in shown if one)
