"""How much the two models differ in float32, which is what their users run."""

from __future__ import annotations

from typing import Any

from parity.adapters.trainer import Batch
from parity.errors import ParityError
from parity.numerics.distance import relative_error
from parity.pairs import allowance
from parity.pairs.forward.setup import STAGES, Models, prepare
from parity.pairs.training import float32_gradients
from parity.progress import Progress
from parity.verdict.result import Float32Deviation


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
    found = []
    try:
        with Progress("float32", STAGES) as progress:
            pair = prepare(models, "float32", progress)
        outputs = pair.outputs()
        observed = [relative_error(k.output, t.output) for k, t in outputs]
        pair.keras_run.forget()
        limits = allowance.output_limits(pair)
        pair.torch_run.forget()
        found += [
            Float32Deviation("forward_eval", one, limits[k.number])
            for one, (k, _) in zip(observed, outputs, strict=True)
        ]
        if batch is not None:
            found += [
                Float32Deviation(one.rung, one.observed, one.allowed)
                for one in float32_gradients.compare(models, pair, batch, loss, seed)[0]
            ]
    except ParityError:
        pass
    return tuple(
        max((one for one in found if one.rung == rung), key=lambda one: one.share)
        for rung in dict.fromkeys(one.rung for one in found)
    )
